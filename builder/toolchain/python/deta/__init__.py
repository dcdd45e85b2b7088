# Owns the names that programs written for Deta's SDK import. This is Ownspace's own package of that name: it speaks the
# same HTTP API, and takes the place of releases that no registry has any more.
from .asynchronous import AsyncBase as _AsyncBase
from .base import Base as _Base
from .drive import Drive as _Drive
from .service import key_and_id
from .version import VERSION

__version__ = VERSION


def Base(name, host=None):
    return Deta().Base(name, host)


def AsyncBase(name, host=None):
    return Deta().AsyncBase(name, host)


def Drive(name, host=None):
    return Deta().Drive(name, host)


def send_email(to, subject, message, charset="UTF-8"):
    raise RuntimeError("Deta's mailer is gone: send mail through a provider of your own")


class Deta:
    def __init__(self, project_key=None, *, project_id=None):
        self.project_key, self.project_id = key_and_id(project_key, project_id)

    def Base(self, name, host=None):
        return _Base(name, self.project_key, self.project_id, host)

    def AsyncBase(self, name, host=None):
        return _AsyncBase(name, self.project_key, self.project_id, host)

    def Drive(self, name, host=None):
        return _Drive(name, self.project_key, self.project_id, host)

    def send_email(self, to, subject, message, charset="UTF-8"):
        return send_email(to, subject, message, charset)


class _NoJobs:
    """Decorators of Deta's earlier cloud: what they mark stays a plain function."""

    def __call__(self, app):
        self._app = app
        return app

    @property
    def lib(self):
        return self

    def run(self, *_, **__):
        return lambda function: function

    cron = run


app = _NoJobs()
App = app
