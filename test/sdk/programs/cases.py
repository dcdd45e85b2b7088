# Owns what every Python SDK must be able to do: one small program each, with a Base and a Drive of its own.
# `python cases.py sync|async|old short|all` prints {name: error or null} as JSON. The data key is in DETA_PROJECT_KEY.
import asyncio
import datetime
import inspect
import io
import json
import sys
import tempfile
import time
import traceback
import urllib.error

import deta

CASES = []
PART = 10 * 1024 * 1024
KIND, EXTENT = sys.argv[1:3]


def case(*kinds, short=False):
    def add(run):
        if KIND in kinds and (short or EXTENT == "all"):
            CASES.append(run)
        return run
    return add


def same(actual, expected):
    # 1 == True in Python, but not on the wire.
    left, right = (json.dumps(value, sort_keys=True) for value in (actual, expected))
    assert left == right, f"got {left}, expected {right}"


def refused(call, code):
    try:
        call()
    except urllib.error.HTTPError as error:
        same(error.code, code)
        return
    raise AssertionError("it did not fail")


def fails(call, kind=Exception):
    try:
        call()
    except kind:
        return
    raise AssertionError("it did not fail")


def noise(length):
    return bytes((index * 2654435761 >> 13) & 255 for index in range(4096)) * (length // 4096) + b"end" * ((length % 4096) // 3)


def everything(base, query=None, **options):
    if KIND == "old":
        return [item for page in base.fetch(query, **options) for item in page]
    items, last = [], None
    while True:
        page = base.fetch(query, last=last, **options)
        items += page.items
        last = page.last
        if last is None:
            return items


@case("sync", "old", short=True)
def put_returns_what_it_stored(base, drive):
    for value in ["Hello", 1, True, False, 0, 3.14159265359, [1, [2]], None, ""]:
        stored = base.put(value)
        same(stored, {"key": stored["key"], "value": value})
        same(len(stored["key"]), 12)
        same(base.get(stored["key"]), stored)
    given = {"a": {"b": None}}
    same(base.put(given, "k"), {"a": {"b": None}, "key": "k"})
    same(given, {"a": {"b": None}})
    same(base.put({"c": 1}, "k"), {"c": 1, "key": "k"})


@case("sync", "old")
def a_key_is_a_text(base, drive):
    refused(lambda: base.put({"key": 1}), 400)
    refused(lambda: base.put({"key": True}), 400)
    refused(lambda: base.put({"key": ""}), 400)
    same(everything(base), [])


@case("sync", "old", short=True)
def keys_of_any_characters(base, drive):
    for key in ["%@#//#!#)#$_", "this is some random key", " outer ", "..", ".", "/", "%2F", "a?b=c&d", "ключ", "🔑", "line\nbreak", "\u0000", "x" * 1024]:
        same(base.put({"n": key}, key), {"n": key, "key": key})
        same(base.get(key), {"n": key, "key": key})
        base.update({"n": 2}, key)
        same(base.get(key), {"n": 2, "key": key})
        same(base.delete(key), None)
        same(base.get(key), None)
    refused(lambda: base.put({}, "x" * 1025), 400)


@case("sync", "old", short=True)
def what_is_not_there(base, drive):
    same(base.get("nobody"), None)
    same(base.delete("nobody"), None)
    fails(lambda: base.update({"a": 1}, "nobody"))
    fails(lambda: base.get(""), ValueError)
    same(everything(base), [])


@case("sync", "old")
def insert_refuses_a_key_that_is_there(base, drive):
    same(base.insert({"a": 1}, "once"), {"a": 1, "key": "once"})
    # The SDK means to raise an Exception of its own there, and stumbles over its format.
    fails(lambda: base.insert({"a": 2}, "once"))
    same(base.get("once"), {"a": 1, "key": "once"})
    same(len(base.insert("text")["key"]), 12)


@case("sync", "old")
def put_many_keeps_the_order(base, drive):
    stored = base.put_many([{"key": "z"}, "text", ["list"]])["processed"]["items"]
    same([stored[0]["key"], stored[1]["value"], stored[2]["value"]], ["z", "text", ["list"]])
    fails(lambda: base.put_many(list(range(26))), AssertionError)
    refused(lambda: base.put_many([]), 400)
    refused(lambda: base.put_many([{"key": "same"}, {"key": "same"}]), 400)
    same(base.get("same"), None)


@case("sync", "old", short=True)
def update_with_every_operation(base, drive):
    base.put({"profile": {"age": 32, "active": False, "hometown": "p"}, "on_mobile": True, "likes": ["anime"], "dislikes": ["comedy"], "purchases": 1}, "u")
    util = base.util
    same(base.update({
        "profile.age": 33, "profile.active": True, "profile.email": "j@deta.sh", "profile.hometown": util.trim(), "on_mobile": util.trim(),
        "purchases": util.increment(2), "likes": util.append("ramen"), "dislikes": util.prepend("action"),
    }, "u"), None)
    same(base.get("u"), {
        "key": "u", "profile": {"age": 33, "active": True, "email": "j@deta.sh"}, "likes": ["anime", "ramen"], "dislikes": ["action", "comedy"], "purchases": 3,
    })
    for updates in [{}, {"key": "x"}, {"key": util.trim()}, {"absent.below": 1}, {"likes": util.increment()}, {"absent": util.append(1)}, {"profile": 1, "profile.age": 2}]:
        refused(lambda: base.update(updates, "u"), 400)


@case("sync", "old", short=True)
def fetch_with_queries(base, drive):
    base.put_many([
        {"key": "%@#//#!#)#$_", "value": 0}, {"key": "existing1", "value": "test"}, {"key": "existing2", "value": 7},
        {"key": "existing3", "value": 44}, {"key": "existing4", "value": {"name": "patrick"}},
    ])
    keys = lambda query: [item["key"] for item in everything(base, query)]
    same(keys([{"value?gt": 6}, {"value?lt": 50}]), ["%@#//#!#)#$_", "existing2", "existing3"])
    same(keys({"value.name": "patrick"}), ["existing4"])
    same(keys({"value?pfx": "te"}), ["existing1"])
    same(keys({"value?r": [0, 7]}), ["%@#//#!#)#$_", "existing2"])
    same(keys({"value?ne": 7}), ["%@#//#!#)#$_", "existing1", "existing3", "existing4"])
    same(keys({"value?contains": "es"}), ["existing1"])
    same(keys({"key?gte": "existing3"}), ["existing3", "existing4"])
    same(len(keys(None)), 5)
    refused(lambda: everything(base, {"value?random": 1}), 400)
    refused(lambda: everything(base, {"key?contains": "x"}), 400)


@case("sync", short=True)
def fetch_in_pages(base, drive):
    base.put_many([{"key": f"k{n:02}", "even": n % 2 == 0} for n in range(20)])
    same([item["key"] for item in everything(base, {"even": True}, limit=3)], [f"k{n:02}" for n in range(0, 20, 2)])
    page = base.fetch({"even": True}, limit=10)
    same([page.count, page.last], [10, None])
    page = base.fetch({"even": True}, limit=2, desc=True)
    same([[item["key"] for item in page.items], page.last], [["k18", "k16"], "k16"])
    refused(lambda: base.fetch(limit=0), 400)
    # Old programs asked for more than a page may hold.
    same(base.fetch(limit=50_000).count, 20)


@case("old", short=True)
def fetch_in_pages_of_a_buffer(base, drive):
    base.put_many([{"key": f"k{n:02}"} for n in range(20)])
    pages = list(base.fetch(None, buffer=6, pages=2))
    same([[item["key"] for item in page] for page in pages], [[f"k{n:02}" for n in range(6)], [f"k{n:02}" for n in range(6, 12)]])
    same(len(list(base.fetch(None, buffer=6))), 4)
    same(len(list(base.fetch(None, buffer=50_000))), 1)


@case("sync", short=True)
def items_expire(base, drive):
    soon = int(time.time()) + 300
    assert abs(base.put("x", "in", expire_in=300)["__expires"] - soon) < 5
    same(base.put("x", "at", expire_at=soon)["__expires"], soon)
    same(base.insert("x", "date", expire_at=datetime.datetime.fromtimestamp(soon))["__expires"], soon)
    same([item["__expires"] for item in base.put_many(["x", "y"], expire_at=soon + 0.7)["processed"]["items"]], [soon, soon])
    base.update({"a": 1}, "at")
    same(base.get("at")["__expires"], soon)
    base.update(None, "at", expire_at=soon + 60)
    same(base.get("at")["__expires"], soon + 60)
    same(base.put("x", "gone", expire_at=soon - 400)["key"], "gone")
    same(base.get("gone"), None)
    same(len(everything(base, {"key": "gone"})), 0)
    fails(lambda: base.update({"a": 1}, "gone"))
    same(base.insert("y", "gone")["value"], "y")
    same("__expires" in base.put("x", "in"), False)
    fails(lambda: base.put("x", "both", expire_in=1, expire_at=soon), ValueError)


@case("sync", "old")
def numbers(base, drive):
    for value in [2**53 - 1, -(2**53 - 1), 1e308, 5e-324, 0.1, -1]:
        same(base.put(value, "n")["value"], value)
        same(base.get("n")["value"], value)
    # A whole number beyond 2^53 becomes the nearest double, as in JavaScript.
    same(base.put(2**53 + 1, "n")["value"], 2**53)
    # json.dumps makes words of these that are not JSON.
    refused(lambda: base.put(float("nan")), 400)
    refused(lambda: base.put(float("inf")), 400)


@case("sync", "old", short=True)
def a_file_comes_back_as_it_went(base, drive):
    for name, data in [("plain.txt", "this is a string."), ("name with spaces.txt", "lorem\r\nipsum"), ("a+b%2F&é.txt", b"bytes\x00\xff"), ("dir/../up", b"z"), ("..", b"dots"), ("line\nbreak", b"x")]:
        same(drive.put(name, data), name)
        expected = data.encode() if isinstance(data, str) else data
        same(drive.get(name).read() == expected, True)
        same(drive.put(name, b"again"), name)
        same(drive.get(name).read().decode(), "again")
    same(drive.get("nothing"), None)
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"from a path")
        file.flush()
        same(drive.put("path", path=file.name), "path")
    same(drive.get("path").read().decode(), "from a path")
    drive.put("lines", io.BytesIO(b"one\ntwo\nthree"))
    same([line.decode() for line in drive.get("lines").iter_lines()], ["one\n", "two\n", "three"])
    same(b"".join(drive.get("lines").iter_chunks(4)).decode(), "one\ntwo\nthree")
    body = drive.get("lines")
    body.close()
    same(body.closed, True)
    drive.put("nothing in it", io.BytesIO(b""))
    same(len(drive.get("nothing in it").read()), 0)
    refused(lambda: drive.put("folder/", b"x"), 400)
    refused(lambda: drive.put("x" * 1025, b"x"), 400)


@case("sync")
def a_large_file_in_parts(base, drive):
    data = noise(2 * PART + 1000)
    drive.put("big", data, content_type="application/x-noise")
    body = drive.get("big")
    same(b"".join(body.iter_chunks(1 << 20)) == data, True)


@case("sync", "old", short=True)
def list_and_delete(base, drive):
    same(drive.list(), {"names": []})
    for name in ["a", "b", "c/d"]:
        drive.put(name, name)
    same(drive.list(), {"names": ["a", "b", "c/d"]})
    same(drive.list(limit=2), {"names": ["a", "b"], "paging": {"size": 2, "last": "b"}})
    same(drive.list(limit=2, last="b"), {"names": ["c/d"]})
    same(drive.list(prefix="c/"), {"names": ["c/d"]})
    same(drive.delete("a"), "a")
    same(drive.delete("never there"), "never there")
    answer = drive.delete_many(["b", "nobody"])
    same(sorted(answer["deleted"]), ["b", "nobody"])
    fails(lambda: drive.delete(" "))
    same(drive.list()["names"], ["c/d"])


@case("async", short=True)
async def all_of_a_base_at_once(base, drive):
    stored = await base.put({"a": 1}, "k")
    same(stored, {"a": 1, "key": "k"})
    same(await base.get("k"), stored)
    same(await base.get("nobody"), None)
    same(await base.insert("x", "i"), {"value": "x", "key": "i"})
    try:
        await base.insert("x", "i")
        raise RuntimeError("it did not fail")
    except Exception as error:
        same("already exists" in str(error) or "409" in str(error), True)
    await asyncio.gather(*(base.put({"n": n}, f"many{n:02}") for n in range(30)))
    await asyncio.gather(*(base.update({"a": base.util.increment()}, "k") for _ in range(20)))
    same((await base.get("k"))["a"], 21)
    page = await base.fetch({"n?gte": 10}, limit=5)
    same([page.count, page.last, page.items[0]["key"]], [5, "many14", "many10"])
    page = await base.fetch({"n?gte": 10}, last="many27")
    same([page.count, page.last], [2, None])
    same(len((await base.put_many(["x", "y"]))["processed"]["items"]), 2)
    await base.delete("k")
    same(await base.get("k"), None)


@case("async")
async def awaited_items_expire(base, drive):
    soon = int(time.time()) + 300
    same((await base.put("x", "at", expire_at=soon))["__expires"], soon)
    await base.update({"a": 1}, "at", expire_at=soon + 60)
    same((await base.get("at"))["__expires"], soon + 60)
    await base.put("x", "gone", expire_at=soon - 400)
    same(await base.get("gone"), None)


async def awaited(run, label):
    base = deta.AsyncBase(label)
    try:
        await run(base, None)
    finally:
        await base.close()


def outcome(run, number):
    label = f"py-{KIND}-{int(time.time() * 1000)}-{number}"
    try:
        if inspect.iscoroutinefunction(run):
            asyncio.run(awaited(run, label))
        else:
            run(deta.Base(label), deta.Drive(label))
    except Exception:
        return traceback.format_exc()


print(json.dumps({run.__name__: outcome(run, number) for number, run in enumerate(CASES)}))
