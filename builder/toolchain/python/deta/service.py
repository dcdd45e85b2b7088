# Owns the HTTPS connections to the host, and how a request goes over them. Knows no Base and no Drive.
import http.client
import json
import os
import pathlib
import urllib.error
from collections import deque

TIMEOUT_SECONDS = 300
JSON = "application/json"
# Connections that wait for the next request; threads each take one.
KEPT = 8


def key_and_id(project_key=None, project_id=None):
    project_key = project_key or os.environ.get("DETA_PROJECT_KEY", "")
    if not project_key:
        raise AssertionError("No project key defined")
    project_id = project_id or project_key.split("_")[0]
    if project_id == project_key:
        raise AssertionError("Bad project key provided")
    return project_key, project_id


def path_text(value):
    if isinstance(value, pathlib.Path):
        return value.resolve().as_posix()
    raise TypeError(f"{type(value).__name__} cannot be stored as JSON")


class Service:
    def __init__(self, host, path, project_key):
        self._host = host
        self._path = path
        self._key = project_key
        self._idle = deque(maxlen=KEPT)

    def call(self, method, path, body=None, content_type=None):
        """Status and content; None as content of what is not there. Raises HTTPError for what is refused."""
        response, connection = self.open(method, path, body, content_type)
        content = response.read()
        if not response.will_close:
            self._idle.append(connection)
        if response.status == 404:
            return 404, None
        if response.status >= 300:
            raise urllib.error.HTTPError(self._path + path, response.status, response.reason, response.headers, None)
        return response.status, json.loads(content) if JSON in response.headers.get("content-type", "") else content

    def call_json(self, method, path, body):
        return self.call(method, path, json.dumps(body, default=path_text).encode(), JSON)

    def open(self, method, path, body=None, content_type=None):
        """The response, unread, and its connection."""
        headers = {"X-Api-Key": self._key, **({"Content-Type": content_type} if content_type else {})}
        while True:
            connection, is_fresh = self._connection()
            try:
                connection.request(method, self._path + path, body=body, headers=headers)
                return connection.getresponse(), connection
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                # One that waited may have been ended meanwhile.
                connection.close()
                if is_fresh:
                    raise

    def _connection(self):
        try:
            return self._idle.pop(), False
        except IndexError:
            return http.client.HTTPSConnection(self._host, timeout=TIMEOUT_SECONDS), True
