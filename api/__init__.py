"""The service: HTTP in front of ``monitor.app``."""
