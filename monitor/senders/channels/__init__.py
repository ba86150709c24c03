"""The channels by which people and other systems are told. ``base`` says what a channel is, and opens one."""
