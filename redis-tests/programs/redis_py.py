"""Checks of redis-py, the client library of most Python programs, against a server.

    redis_py.py CHECK PROTOCOL PORT

runs one of the checks below with RESP2 or RESP3 against the server at that port of this machine,
in a cluster any of its nodes. It ends with an exit code other than 0, and says why, if something is
not as it should be. Started by redis-tests/suite/redis_py.tcl.
"""

import asyncio
import faulthandler
import queue
import sys
import threading
import time

import redis
import redis.asyncio
from redis.cache import CacheConfig
from redis.cluster import ClusterNode, RedisCluster
from redis.connection import CacheProxyConnection

# The library caches with servers that call themselves 7.4 or later. All that it needs is older.
CacheProxyConnection.MIN_ALLOWED_VERSION = "7.2.0"

PATIENCE_S = 10
# After this long a check that hangs says where, and ends.
LIMIT_S = 50


def equal(expected, actual):
    if expected != actual:
        raise AssertionError(f"expected {expected!r}, got {actual!r}")


def wait_until(what, condition):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain: {what}")
        time.sleep(0.002)


def client(protocol, port, **options):
    options.setdefault("decode_responses", True)
    return redis.Redis(port=port, protocol=protocol, **options)


def next_message(pubsub, **options):
    """The next message, as its type, pattern, channel and data."""
    message = None
    deadline = time.monotonic() + PATIENCE_S
    while message is None and time.monotonic() < deadline:
        message = pubsub.get_message(timeout=0.5, **options)
    if message is None:
        raise AssertionError("no message")
    return tuple(message[field] for field in ("type", "pattern", "channel", "data"))


def calls_of(server, command):
    return server.info("commandstats").get(f"cmdstat_{command}", {"calls": 0})["calls"]


# ---- the cache of the client's side


def cache(protocol, port):
    """What was read once is not asked for again until it changes, whoever changes it."""
    writer = client(protocol, port)
    reader = client(protocol, port, cache_config=CacheConfig())
    writer.mset({"a": "1", "b": "2"})
    writer.hset("h", mapping={"f": "1"})

    def read():
        return reader.get("a"), reader.mget("a", "b"), reader.hgetall("h")

    expected = ("1", ["1", "2"], {"f": "1"})
    equal(expected, read())
    before = calls_of(writer, "get"), calls_of(writer, "mget"), calls_of(writer, "hgetall")
    for _ in range(20):
        equal(expected, read())
    after = calls_of(writer, "get"), calls_of(writer, "mget"), calls_of(writer, "hgetall")
    equal(before, after)
    equal(3, reader.get_cache().size)

    def becomes(value, key="a"):
        wait_until(f"{key} to become {value}", lambda: reader.get(key) == value)

    for change, value in [
        (lambda: writer.set("a", "x"), "x"),
        (lambda: writer.append("a", "y"), "xy"),
        (lambda: writer.rename("b", "a"), "2"),
        (lambda: writer.set("a", "z", px=30), "z"),
        (lambda: None, None),
        (lambda: writer.set("a", "1"), "1"),
        (lambda: writer.delete("a"), None),
    ]:
        change()
        becomes(value)
    writer.hset("h", "g", "2")
    wait_until("h to change", lambda: reader.hgetall("h") == {"f": "1", "g": "2"})
    writer.flushall()
    wait_until("h to be gone", lambda: reader.hgetall("h") == {})


def cache_own_writes(protocol, port):
    """What a client changes itself is as stale in its cache; transactions and pipelines, too."""
    both = client(protocol, port, cache_config=CacheConfig())
    for n in range(200):
        both.set("k", n)
        equal(str(n), both.get("k"))
        equal(str(n), both.get("k"))
    with both.pipeline(transaction=True) as transaction:
        transaction.get("k")
        transaction.incr("k")
        transaction.get("k")
        equal(["199", 200, "200"], transaction.execute())
    equal("200", both.get("k"))
    both.flushdb()
    equal(None, both.get("k"))


def cache_threads(protocol, port):
    """Threads with a cache each, of few keys, never see an older value than before.

    They do not share one client: then the library has one thread read another's connection while
    that one waits for a reply, and now and then it waits for ever, whichever server it asks.
    """
    writer = client(protocol, port)
    writer.set("n", 0)
    done, failures = threading.Event(), queue.Queue()

    def look():
        reader = client(protocol, port, cache_config=CacheConfig(max_size=2))
        last, turn = 0, 0
        while not done.is_set():
            turn += 1
            value = int(reader.get("n"))
            if value < last:
                failures.put(f"{value} after {last}")
                return
            last = value
            # Others take the place of what is kept.
            reader.get(f"other:{turn % 3}")
        try:
            wait_until("the last value", lambda: reader.get("n") == "200")
        except AssertionError as error:
            failures.put(str(error))

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(200):
        writer.incr("n")
    done.set()
    for thread in threads:
        thread.join()
    equal([], list(failures.queue))


def redirection(protocol, port):
    """A client that is told by another one, which listens to a channel."""
    writer, reader = client(protocol, port), client(protocol, port, single_connection_client=True)
    ear = client(2, port, client_name="ear").pubsub(ignore_subscribe_messages=True)
    ear.subscribe("__redis__:invalidate")
    wait_until("the subscription", lambda: writer.pubsub_numsub("__redis__:invalidate")[0][1])
    ear_id = next(int(c["id"]) for c in writer.client_list() if c["name"] == "ear")
    reader.execute_command("CLIENT", "TRACKING", "ON", "REDIRECT", ear_id)
    equal(ear_id, reader.client_getredir())
    reader.get("k")
    writer.set("k", 1)
    equal(("message", None, "__redis__:invalidate", ["k"]), next_message(ear))
    writer.flushall()
    equal(("message", None, "__redis__:invalidate", None), next_message(ear))


# ---- messages


def messages(protocol, port):
    """Channels and patterns, in the order of subscriptions and messages."""
    server = client(protocol, port)
    pubsub = server.pubsub()
    pubsub.subscribe("c1", "c2")
    pubsub.psubscribe("c*")
    equal(("subscribe", None, "c1", 1), next_message(pubsub))
    equal(("subscribe", None, "c2", 2), next_message(pubsub))
    equal(("psubscribe", None, "c*", 3), next_message(pubsub))
    equal({"c1", "c2"}, set(server.pubsub_channels()))
    equal([("c1", 1), ("none", 0)], list(map(tuple, server.pubsub_numsub("c1", "none"))))
    equal(1, server.pubsub_numpat())
    equal(2, server.publish("c1", "hello"))
    equal(("message", None, "c1", "hello"), next_message(pubsub))
    equal(("pmessage", "c*", "c1", "hello"), next_message(pubsub))
    equal(1, server.publish("c3", "other"))
    equal(("pmessage", "c*", "c3", "other"), next_message(pubsub))
    equal(None, pubsub.get_message(timeout=0.05))
    if protocol == 2:
        pubsub.ping("there")
        equal(("pong", None, None, "there"), next_message(pubsub))
    pubsub.unsubscribe("c1")
    equal(("unsubscribe", None, "c1", 2), next_message(pubsub))
    pubsub.punsubscribe()
    equal(("punsubscribe", None, "c*", 1), next_message(pubsub))
    equal(0, server.publish("c1", "nobody"))
    pubsub.unsubscribe()
    equal(("unsubscribe", None, "c2", 0), next_message(pubsub))
    pubsub.close()
    wait_until("nothing is left", lambda: server.pubsub_channels() == [])


def many_messages(protocol, port):
    """Every message arrives once and in order, small and big ones, from a pipeline."""
    server = client(protocol, port)
    pubsub = server.pubsub(ignore_subscribe_messages=True)
    pubsub.subscribe("c")
    wait_until("the subscription", lambda: server.pubsub_numsub("c")[0][1] == 1)
    sent = [f"{n}:" + "x" * (n * 37 % 5000) for n in range(2000)]
    with server.pipeline(transaction=False) as pipeline:
        for message in sent:
            pipeline.publish("c", message)
        equal([1] * len(sent), pipeline.execute())
    got = []
    while len(got) < len(sent):
        got.append(next_message(pubsub)[3])
    equal(sent, got)


def threads_and_handlers(protocol, port):
    """Handlers that run in a thread of their own."""
    server = client(protocol, port)
    got = queue.Queue()
    pubsub = server.pubsub(ignore_subscribe_messages=True)
    pubsub.subscribe(c=lambda message: got.put(("c", message["data"])))
    pubsub.psubscribe(**{"d*": lambda message: got.put((message["channel"], message["data"]))})
    thread = pubsub.run_in_thread(sleep_time=0.01, daemon=True)
    for n in range(100):
        server.publish("c", n)
        server.publish(f"d{n}", n)
    expected = [pair for n in range(100) for pair in (("c", str(n)), (f"d{n}", str(n)))]
    equal(expected, [got.get(timeout=PATIENCE_S) for _ in expected])
    thread.stop()
    thread.join(PATIENCE_S)
    equal(False, thread.is_alive())


def keyspace_events(protocol, port):
    """What happens to keys, as messages."""
    server = client(protocol, port)
    server.config_set("notify-keyspace-events", "KEA")
    pubsub = server.pubsub(ignore_subscribe_messages=True)
    pubsub.psubscribe("__key*@0__:*")
    wait_until("the subscription", lambda: server.pubsub_numpat() == 1)
    server.set("k", 1)
    server.expire("k", 100)
    server.rename("k", "l")
    server.set("m", 1, px=10)
    expected = [
        ("__keyspace@0__:k", "set"),
        ("__keyevent@0__:set", "k"),
        ("__keyspace@0__:k", "expire"),
        ("__keyevent@0__:expire", "k"),
        ("__keyspace@0__:k", "rename_from"),
        ("__keyevent@0__:rename_from", "k"),
        ("__keyspace@0__:l", "rename_to"),
        ("__keyevent@0__:rename_to", "l"),
        ("__keyspace@0__:m", "set"),
        ("__keyevent@0__:set", "m"),
        ("__keyspace@0__:m", "expire"),
        ("__keyevent@0__:expire", "m"),
        ("__keyspace@0__:m", "expired"),
        ("__keyevent@0__:expired", "m"),
    ]
    equal(expected, [next_message(pubsub)[2:] for _ in expected])
    server.config_set("notify-keyspace-events", "")


def asyncio_messages(protocol, port):
    """The library's other half: one task listens while another publishes."""

    async def run():
        server = redis.asyncio.Redis(port=port, protocol=protocol, decode_responses=True)
        async with server, server.pubsub(ignore_subscribe_messages=True) as pubsub:
            await pubsub.subscribe("c")
            await pubsub.psubscribe("d?")

            async def listen():
                got = []
                async for message in pubsub.listen():
                    got.append(message["data"])
                    if len(got) == 200:
                        return got

            listener = asyncio.create_task(listen())
            while (await server.pubsub_numsub("c"))[0][1] == 0 or await server.pubsub_numpat() == 0:
                await asyncio.sleep(0.002)
            for n in range(100):
                await server.publish("c", n)
                await server.publish("d1", -n)
            expected = [str(sign * n) for n in range(100) for sign in (1, -1)]
            equal(expected, await asyncio.wait_for(listener, PATIENCE_S))

    asyncio.run(run())


def monitor(protocol, port):
    """What others do, line by line."""
    server = client(protocol, port)
    with server.monitor() as lines:
        server.set("k", "a b")
        server.get("k")
        # A connection begins with words of the library's own.
        commands = (line["command"] for line in lines.listen())
        commands = (line for line in commands if line.split()[0] not in ("HELLO", "CLIENT"))
        equal(["SET k a b", "GET k"], [next(commands), next(commands)])


# ---- a cluster


def cluster(protocol, port, **options):
    node = ClusterNode("127.0.0.1", port)
    return RedisCluster(startup_nodes=[node], protocol=protocol, decode_responses=True, **options)


def sharded_messages(protocol, port):
    """Shard channels: the library asks the node that each channel belongs to."""
    server = cluster(protocol, port)
    pubsub = server.pubsub()
    channels = [f"shard:{n}" for n in range(12)]
    pubsub.ssubscribe(*channels)
    equal(3, len({server.get_node_from_key(channel).name for channel in channels}))

    def next_sharded():
        message = None
        deadline = time.monotonic() + PATIENCE_S
        while message is None and time.monotonic() < deadline:
            message = pubsub.get_sharded_message(timeout=0.1)
        return message and (message["type"], message["channel"], message["data"])

    subscribed = [next_sharded() for _ in channels]
    equal(sorted(channels), sorted(channel for _, channel, _ in subscribed))
    equal({"ssubscribe"}, {kind for kind, _, _ in subscribed})
    for n, channel in enumerate(channels):
        equal(1, server.spublish(channel, n))
    got = sorted(next_sharded() for _ in channels)
    equal(sorted(("smessage", c, str(n)) for n, c in enumerate(channels)), got)
    pubsub.sunsubscribe(*channels)
    wait_until("no subscription is left", lambda: server.spublish(channels[0], "x") == 0)


def cluster_messages(protocol, port):
    """A message that is published at one node reaches the subscribers of all others."""
    server = cluster(protocol, port)
    nodes = [client(protocol, node.port) for node in server.get_primaries()]
    pubsubs = [node.pubsub(ignore_subscribe_messages=True) for node in nodes]
    for pubsub, node in zip(pubsubs, nodes):
        pubsub.subscribe("c")
        wait_until("the subscription", lambda: node.pubsub_numsub("c")[0][1] == 1)
    for n, node in enumerate(nodes):
        equal(1, node.publish("c", n))
        for pubsub in pubsubs:
            equal(("message", None, "c", str(n)), next_message(pubsub))


def cluster_cache(protocol, port):
    """Each node tells of its own keys."""
    server = cluster(protocol, port, cache_config=CacheConfig())
    writer = cluster(protocol, port)
    keys = [f"key:{n}" for n in range(50)]
    for key in keys:
        writer.set(key, "1")
    equal(["1"] * len(keys), [server.get(key) for key in keys])
    equal(["1"] * len(keys), [server.get(key) for key in keys])
    for key in keys:
        writer.set(key, "2")
    for key in keys:
        wait_until(f"{key} to change", lambda: server.get(key) == "2")


CHECKS = [
    cache,
    cache_own_writes,
    cache_threads,
    redirection,
    messages,
    many_messages,
    threads_and_handlers,
    keyspace_events,
    asyncio_messages,
    monitor,
    sharded_messages,
    cluster_messages,
    cluster_cache,
]


def main(name, protocol, port):
    faulthandler.dump_traceback_later(LIMIT_S, exit=True)
    check = {check.__name__: check for check in CHECKS}[name]
    check(int(protocol), int(port))


if __name__ == "__main__":
    main(*sys.argv[1:])
