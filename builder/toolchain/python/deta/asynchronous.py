# Owns a Base for programs that await it: the same calls, in threads that wait for the answers.
import asyncio
import functools

from .base import Base


class AsyncBase:
    def __init__(self, name, project_key, project_id, host=None):
        self._base = Base(name, project_key, project_id, host)
        self.util = self._base.util

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await self.close()

    async def close(self):
        pass

    async def get(self, key):
        return await self._later(self._base.get, key)

    async def delete(self, key):
        return await self._later(self._base.delete, key)

    async def insert(self, data, key=None, **expiry):
        return await self._later(self._base.insert, data, key, **expiry)

    async def put(self, data, key=None, **expiry):
        return await self._later(self._base.put, data, key, **expiry)

    async def put_many(self, items, **expiry):
        return await self._later(self._base.put_many, items, **expiry)

    async def update(self, updates, key, **expiry):
        return await self._later(self._base.update, updates, key, **expiry)

    async def fetch(self, query=None, *, limit=1000, last=None, desc=False):
        return await self._later(self._base._page, query, limit=limit, last=last, desc=desc)

    async def _later(self, call, *args, **options):
        return await asyncio.get_running_loop().run_in_executor(None, functools.partial(call, *args, **options))
