"""Logs a model's predictions and outcomes to Vigil, in the background, and never gets in the way of inference.

>>> from vigil_client import Client
>>> client = Client("http://127.0.0.1:8000", "vgl_key", model="churn", enabled=False)
>>> client.log(prediction_id="a", features={"age": 40}, prediction_score=0.7)
'a'
"""

from vigil_client.client import Client
from vigil_client.stats import Stats

__all__ = ["Client", "Stats", "__version__"]
__version__ = "0.1.0"
