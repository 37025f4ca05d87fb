"""Self-service pages: plain HTML over the processes, without JavaScript.

`register(app, runner=…, units=…, clock=…, meaning_of=…, sign_in=…)` puts them on an app that has
Babel, a secret key and the cookie settings of `mobid.auth.sessions`. `error_page` answers what no
part of the app knows.
"""

from mobid.web.blueprint import register
from mobid.web.errors import error_page

__all__ = ["error_page", "register"]
