"""A QuickBooks Online look-alike for developing and testing against, on one's own machine.

``python -m sandbox`` runs it; ``serving()`` runs it inside a test. See README.md for what is imitated and what is not.
It imports nothing from the CRM, and the CRM imports nothing from it.
"""

from sandbox.app import Served, create_app, serving
from sandbox.settings import OFF, Settings, Throttle

__all__ = ["OFF", "Served", "Settings", "Throttle", "create_app", "serving"]
