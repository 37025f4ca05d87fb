from flask import Flask
from scim2_models import ScimProvider
from scim2_server.memory import InMemoryStorage

class ScimServer:
    def __init__(
        self, storage: InMemoryStorage, provider: ScimProvider, app: Flask | None = None
    ) -> None: ...
