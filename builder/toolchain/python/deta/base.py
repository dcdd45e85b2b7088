# Owns a Base as programs see it: Items by key, queries, updates.
import datetime
import os
from urllib.parse import quote

from .service import Service
from .version import VERSION

MANY_MAX = 25
EXPIRES = "__expires"


class FetchResponse:
    def __init__(self, count=0, last=None, items=None):
        self.count = count
        self.last = last
        self.items = [] if items is None else items

    def __eq__(self, other):
        return isinstance(other, FetchResponse) and vars(self) == vars(other)

    def __repr__(self):
        return f"FetchResponse(count={self.count!r}, last={self.last!r}, items={self.items!r})"


class Util:
    class Trim:
        val = None

    class Increment:
        def __init__(self, value=None):
            self.val = value or 1

    class Append:
        def __init__(self, value):
            self.val = value if isinstance(value, list) else [value]

    class Prepend(Append):
        pass

    def trim(self):
        return Util.Trim()

    def increment(self, value=None):
        return Util.Increment(value)

    def append(self, value):
        return Util.Append(value)

    def prepend(self, value):
        return Util.Prepend(value)


def expiry(expire_in, expire_at):
    """What is added to an Item so that it expires."""
    if expire_in and expire_at:
        raise ValueError("both expire_in and expire_at provided")
    if expire_in:
        expire_at = datetime.datetime.now().timestamp() + expire_in
    if not expire_at:
        return {}
    if isinstance(expire_at, datetime.datetime):
        expire_at = expire_at.timestamp()
    if not isinstance(expire_at, (int, float)):
        raise TypeError("expire_at should be one of int, float or datetime")
    return {EXPIRES: int(expire_at)}


def item_of(data, key=None, **more):
    item = dict(data) if isinstance(data, dict) else {"value": data}
    return {**item, **({"key": key} if key else {}), **more}


def changes_of(updates, **more):
    changes = {"set": {}, "increment": {}, "append": {}, "prepend": {}, "delete": []}
    for name, value in (updates or {}).items():
        if isinstance(value, Util.Trim):
            changes["delete"].append(name)
        elif isinstance(value, Util.Increment):
            changes["increment"][name] = value.val
        elif isinstance(value, Util.Prepend):
            changes["prepend"][name] = value.val
        elif isinstance(value, Util.Append):
            changes["append"][name] = value.val
        else:
            changes["set"][name] = value
    changes["set"].update(more)
    return changes


class Base:
    def __init__(self, name, project_key, project_id, host=None):
        if not name:
            raise AssertionError("No Base name provided")
        self._service = Service(host or os.environ.get("DETA_BASE_HOST") or "database.deta.sh", f"/v1/{project_id}/{name}", project_key)
        self.util = Util()
        # Releases before 1.0 gave pages one after the other.
        self.fetch = self._pages if VERSION.startswith("0.") else self._page

    def get(self, key):
        return self._service.call("GET", self._at(key))[1] or None

    def delete(self, key):
        self._service.call("DELETE", self._at(key))

    def insert(self, data, key=None, *, expire_in=None, expire_at=None):
        return self._service.call_json("POST", "/items", {"item": item_of(data, key, **expiry(expire_in, expire_at))})[1]

    def put(self, data, key=None, *, expire_in=None, expire_at=None):
        status, answer = self._service.call_json("PUT", "/items", {"items": [item_of(data, key, **expiry(expire_in, expire_at))]})
        return answer["processed"]["items"][0] if status == 207 and "processed" in answer else None

    def put_many(self, items, *, expire_in=None, expire_at=None):
        if len(items) > MANY_MAX:
            raise AssertionError(f"We can't put more than {MANY_MAX} items at a time.")
        more = expiry(expire_in, expire_at)
        return self._service.call_json("PUT", "/items", {"items": [item_of(item, **more) for item in items]})[1]

    def update(self, updates, key, *, expire_in=None, expire_at=None):
        status, _ = self._service.call_json("PATCH", self._at(key), changes_of(updates, **expiry(expire_in, expire_at)))
        if status == 404:
            raise Exception(f"Key '{key}' not found")

    def _page(self, query=None, *, limit=1000, last=None, desc=False):
        asked = {"limit": limit, "last": last, "sort": "desc" if desc else "", **({"query": query if isinstance(query, list) else [query]} if query else {})}
        answer = self._service.call_json("POST", "/query", asked)[1]
        return FetchResponse(answer["paging"].get("size"), answer["paging"].get("last"), answer["items"])

    def _pages(self, query=None, *, buffer=None, pages=10):
        last = None
        for _ in range(pages):
            page = self._page(query, limit=buffer, last=last)
            yield page.items
            last = page.last
            if last is None:
                return

    def _at(self, key):
        if key == "":
            raise ValueError("Key is empty")
        return f"/items/{quote(key, safe='')}"
