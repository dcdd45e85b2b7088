# Owns a Drive as programs see it: Files by name, sent in parts and read as streams.
import io
import os
from urllib.parse import quote_plus

from .service import Service

PART_BYTES = 10 * 1024 * 1024


class DriveStreamingBody:
    def __init__(self, response):
        self._response = response

    @property
    def closed(self):
        return self._response.closed

    def read(self, size=None):
        return self._response.read(size)

    def iter_chunks(self, chunk_size=1024):
        yield from iter(lambda: self._response.read(chunk_size), b"")

    def iter_lines(self, chunk_size=1024):
        yield from iter(lambda: self._response.readline(chunk_size), b"")

    def close(self):
        self._response.close()


class Drive:
    def __init__(self, name=None, project_key=None, project_id=None, host=None):
        if not name:
            raise AssertionError("No Drive name provided")
        self._service = Service(host or os.environ.get("DETA_DRIVE_HOST") or "drive.deta.sh", f"/v1/{project_id}/{name}", project_key)

    def get(self, name):
        if not name:
            raise AssertionError("No name provided")
        path = f"/files/download?name={quote_plus(name)}"
        response, connection = self._service.open("GET", path)
        if response.status == 200:
            return DriveStreamingBody(response)
        response.read()
        connection.close()
        # The error that every other call gives.
        return None if response.status == 404 else self._service.call("GET", path)[1]

    def put(self, name, data=None, *, path=None, content_type=None):
        if not name:
            raise AssertionError("No name provided")
        if not (path or data):
            raise AssertionError("No data or path provided")
        if path and data:
            raise AssertionError("Both path and data provided")
        stream = open(path, "rb") if path else io.BytesIO(data) if isinstance(data, bytes) else io.StringIO(data) if isinstance(data, str) else data
        with stream:
            self._upload(name, stream, content_type)
        return name

    def _upload(self, name, stream, content_type):
        query = f"name={quote_plus(name)}"
        upload = self._service.call("POST", f"/uploads?{query}")[1]["upload_id"]
        try:
            for number, part in enumerate(iter(lambda: stream.read(PART_BYTES), type(stream.read(0))()), 1):
                body = part.encode() if isinstance(part, str) else part
                self._service.call("POST", f"/uploads/{upload}/parts?{query}&part={number}", body, content_type)
        except Exception:
            self._service.call("DELETE", f"/uploads/{upload}?{query}")
            raise
        self._service.call("PATCH", f"/uploads/{upload}?{query}")

    def list(self, limit=1000, prefix=None, last=None):
        more = "".join(f"&{name}={quote_plus(value)}" for name, value in (("prefix", prefix), ("last", last)) if value)
        return self._service.call("GET", f"/files?limit={limit}{more}")[1]

    def delete(self, name):
        if not name:
            raise AssertionError("Name not provided or empty")
        failed = self.delete_many([name]).get("failed")
        if failed:
            raise Exception(f"Failed to delete '{name}':{failed[name]}")
        return name

    def delete_many(self, names):
        if not names:
            raise AssertionError("Names is empty")
        if len(names) > 1000:
            raise AssertionError("More than 1000 names to delete")
        return self._service.call_json("DELETE", "/files", {"names": names})[1]
