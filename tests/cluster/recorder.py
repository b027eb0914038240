"""Stands between pods and the API server (or the registry), and writes down what was asked of it.

usage: recorder.py api LISTEN UPSTREAM CERTIFICATE KEY CA LOG     TLS on both sides; one JSON line a request
       recorder.py count LISTEN UPSTREAM LOG                      plain bytes; one JSON line a request
       recorder.py connect LISTEN                                 a proxy for CONNECT: a way out for package managers

LISTEN and UPSTREAM are HOST:PORT. Requests are passed on byte by byte; answers are not looked at.
One thread: OpenSSL does not let two of them read and write the same connection.
"""
import asyncio
import base64
import json
import socket
import ssl
import sys

PIECE = 65536


def address(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)


async def pass_exactly(source, target, count):
    while count > 0:
        data = await source.read(min(count, PIECE))
        if not data:
            raise ConnectionError("cut short")
        target.write(data)
        await target.drain()
        count -= len(data)


async def pass_chunks(source, target):
    total = 0
    while True:
        line = await source.readuntil(b"\r\n")
        target.write(line)
        size = int(line.split(b";")[0], 16)
        await pass_exactly(source, target, size + 2)
        total += size
        if size == 0:
            return total


async def pass_all(source, target):
    while data := await source.read(PIECE):
        target.write(data)
        await target.drain()


def subject(headers):
    """Whose token it is: the claim `sub`, which says system:serviceaccount:NAMESPACE:NAME."""
    kind, _, token = headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or token.count(".") != 2:
        return None
    claims = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4))).get("sub")


async def pass_requests(source, target, log):
    while True:
        try:
            head = await source.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return
        lines = head.decode("latin-1").split("\r\n")
        method, path, _ = lines[0].split(" ", 2)
        headers = {n.strip().lower(): v.strip() for n, _, v in (line.partition(":") for line in lines[1:] if line)}
        target.write(head)
        size = 0
        if headers.get("transfer-encoding", "").lower() == "chunked":
            size = await pass_chunks(source, target)
        elif "content-length" in headers:
            size = int(headers["content-length"])
            await pass_exactly(source, target, size)
        await target.drain()
        record = {"method": method, "path": path, "bytes": size, "who": subject(headers),
                  "type": headers.get("content-type", "")}
        log.write(json.dumps(record) + "\n")
        log.flush()
        if "upgrade" in headers:
            await pass_all(source, target)
            return


async def found(host, port):
    """Address and port of a host. Clients open hundreds of connections to one; asking for its name each time is more than
    some resolvers bear."""
    if host not in FOUND:
        FOUND[host] = asyncio.ensure_future(asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM))
    try:
        return (await asyncio.shield(FOUND[host]))[0][4][:2][0], port
    except OSError:
        FOUND.pop(host, None)
        raise


FOUND = {}


async def connect(source, answer):
    ends = [answer]
    tasks = []
    try:
        head = (await source.readuntil(b"\r\n\r\n")).decode("latin-1")
        method, name, _ = head.split(" ", 2)
        if method != "CONNECT":
            raise ValueError("only CONNECT is served")
        reply, target = await asyncio.open_connection(*await found(*address(name)))
        ends.append(target)
        answer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        tasks = [asyncio.create_task(pass_all(source, target)), asyncio.create_task(pass_all(reply, answer))]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    except (OSError, ValueError, asyncio.IncompleteReadError):
        pass
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for end in ends:
            end.close()


async def main():
    if sys.argv[1] == "connect":
        server = await asyncio.start_server(connect, *address(sys.argv[2]), backlog=256)
        await server.serve_forever()
    mode, listen, upstream = sys.argv[1:4]
    inbound = outbound = None
    if mode == "api":
        certificate, key, authority, path = sys.argv[4:]
        inbound = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        inbound.load_cert_chain(certificate, key)
        outbound = ssl.create_default_context(cafile=authority)
    else:
        path = sys.argv[4]
    log = open(path, "a", encoding="utf-8")

    async def serve(source, answer):
        tasks = []
        ends = [answer]
        try:
            host, port = address(upstream)
            reply, target = await asyncio.open_connection(host, port, ssl=outbound, limit=1 << 20)
            ends.append(target)
            tasks = [asyncio.create_task(pass_requests(source, target, log)),
                     asyncio.create_task(pass_all(reply, answer))]
            # Whichever side goes first, the other one goes too.
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        except (OSError, ValueError):
            pass
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for end in ends:
                end.close()

    server = await asyncio.start_server(serve, *address(listen), ssl=inbound, backlog=256, limit=1 << 20)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
