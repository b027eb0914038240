"""Stands between pods and the API server (or the registry), and writes down what was asked of it.

usage: recorder.py api LISTEN UPSTREAM CERTIFICATE KEY CA LOG     TLS on both sides; one JSON line a request
       recorder.py count LISTEN UPSTREAM LOG                      plain bytes; one JSON line a request

LISTEN and UPSTREAM are HOST:PORT. Requests are passed on byte by byte; answers are not looked at.
"""
import base64
import json
import socket
import ssl
import sys
import threading

LOCK = threading.Lock()


def address(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)


def read_head(source, buffer):
    """The head of the next request, and what came behind it; (None, …) when there is no other."""
    while b"\r\n\r\n" not in buffer:
        data = source.recv(65536)
        if not data:
            return None, buffer
        buffer += data
        if len(buffer) > 1 << 20:
            raise ValueError("a head without end")
    head, rest = buffer.split(b"\r\n\r\n", 1)
    return head + b"\r\n\r\n", rest


def pass_exactly(source, target, buffer, count):
    while count > 0:
        if not buffer:
            buffer = source.recv(65536)
            if not buffer:
                raise ConnectionError("cut short")
        part, buffer = buffer[:count], buffer[count:]
        target.sendall(part)
        count -= len(part)
    return buffer


def pass_chunks(source, target, buffer):
    total = 0
    while True:
        while b"\r\n" not in buffer:
            data = source.recv(65536)
            if not data:
                raise ConnectionError("cut short")
            buffer += data
        line, _ = buffer.split(b"\r\n", 1)
        size = int(line.split(b";")[0], 16)
        buffer = pass_exactly(source, target, buffer, len(line) + 2 + size + 2)
        total += size
        if size == 0:
            return buffer, total


def pass_all(source, target):
    try:
        while True:
            data = source.recv(65536)
            if not data:
                break
            target.sendall(data)
    except OSError:
        pass
    for end in (source, target):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def subject(headers):
    """Whose token it is: the claim `sub`, which says system:serviceaccount:NAMESPACE:NAME."""
    kind, _, token = headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or token.count(".") != 2:
        return None
    claims = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4))).get("sub")


def serve(client, connect, log):
    upstream = connect()
    threading.Thread(target=pass_all, args=(upstream, client), daemon=True).start()
    buffer = b""
    try:
        while True:
            head, buffer = read_head(client, buffer)
            if head is None:
                break
            lines = head.decode("latin-1").split("\r\n")
            method, path, _ = lines[0].split(" ", 2)
            headers = {n.strip().lower(): v.strip() for n, _, v in (line.partition(":") for line in lines[1:] if line)}
            upstream.sendall(head)
            size = 0
            if headers.get("transfer-encoding", "").lower() == "chunked":
                buffer, size = pass_chunks(client, upstream, buffer)
            elif "content-length" in headers:
                size = int(headers["content-length"])
                buffer = pass_exactly(client, upstream, buffer, size)
            with LOCK:
                record = {"method": method, "path": path, "bytes": size, "who": subject(headers),
                          "type": headers.get("content-type", "")}
                log.write(json.dumps(record) + "\n")
                log.flush()
            if "upgrade" in headers:
                upstream.sendall(buffer)
                pass_all(client, upstream)
                break
    except (OSError, ValueError):
        pass
    finally:
        for end in (client, upstream):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()


def main():
    mode, listen, upstream = sys.argv[1:4]
    server = socket.create_server(address(listen), backlog=128)
    if mode == "api":
        certificate, key, authority, path = sys.argv[4:]
        inbound = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        inbound.load_cert_chain(certificate, key)
        outbound = ssl.create_default_context(cafile=authority)
    else:
        inbound, path = None, sys.argv[4]

    def connect():
        plain = socket.create_connection(address(upstream), timeout=20)
        plain.settimeout(None)
        return outbound.wrap_socket(plain, server_hostname=address(upstream)[0]) if inbound else plain

    def accept(client):
        try:
            client.settimeout(20)
            client = inbound.wrap_socket(client, server_side=True) if inbound else client
            client.settimeout(None)
            serve(client, connect, log)
        except OSError:
            client.close()

    with open(path, "a", encoding="utf-8") as log:
        while True:
            client, _ = server.accept()
            threading.Thread(target=accept, args=(client,), daemon=True).start()


if __name__ == "__main__":
    main()
