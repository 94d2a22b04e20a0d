"""Requests to the process that holds the lab's guests."""
import http.client
import json
import socket
import time

SOCKET = "/lab/run/guests.sock"
SOCKET_SECONDS = 60
CALL_SECONDS = 180


class GuestsError(Exception):
    pass


class Connection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(SOCKET)


def call(method, path, body=None):
    end = time.time() + SOCKET_SECONDS
    while True:
        connection = Connection("lab", timeout=CALL_SECONDS)
        try:
            connection.connect()
            break
        except (FileNotFoundError, ConnectionRefusedError):  # still starting, or being started again
            if time.time() > end:
                raise
            time.sleep(0.5)
    try:
        connection.request(method, path, None if body is None else json.dumps(body))
        answer = connection.getresponse()
        result = json.loads(answer.read())
    finally:
        connection.close()
    if answer.status != 200:
        raise GuestsError(f"guests: {result.get('error', answer.status)}")
    return result
