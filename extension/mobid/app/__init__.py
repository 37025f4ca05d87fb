"""The only place where everything meets: parts are plugged together here, and nowhere else."""

from mobid.app.http import create_app
from mobid.app.product import Product
from mobid.app.settings import load_settings
from mobid.app.setup import initialise, is_ready

__all__ = ["Product", "create_app", "initialise", "is_ready", "load_settings"]
