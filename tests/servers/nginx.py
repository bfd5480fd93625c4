# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""nginx: a master that listens and two workers that accept."""
import os
import socket

import server
from client import Client
from connection import BIG, SMALL

CONFIGURATION = """\
daemon off;
user {user};
worker_processes 2;
pid {directory}/pid;
error_log stderr;
events {{ worker_connections 64; }}
http {{
	access_log off;
	keepalive_timeout 600;
	send_timeout 600;
	client_body_temp_path {directory}/body;
	proxy_temp_path {directory}/proxy;
	fastcgi_temp_path {directory}/fastcgi;
	uwsgi_temp_path {directory}/uwsgi;
	scgi_temp_path {directory}/scgi;
	server {{
		listen {address}:{port};
		root {directory}/files;
	}}
}}
"""


class Nginx(server.Server):
    name = "nginx"
    port = 80

    @classmethod
    def require(cls):
        server.require("nginx")

    def command(self):
        os.mkdir(self.path("files"))
        for size in (0, SMALL, BIG):
            with open(self.path("files/%d" % size), "w") as f:
                f.truncate(size)
        self.write("nginx.conf", CONFIGURATION.format(user=server.user("www-data", "nobody"), port=self.port,
                                                      directory=self.directory, address=self.address()))
        return ["nginx", "-c", self.path("nginx.conf"), "-p", self.directory], None

    def connect(self):
        return Client(self, "http-client")


def connect(address):
    s = socket.create_connection(address)
    ask(s, 0)
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += s.recv(4096)
    if b" 200 " not in answer:
        raise RuntimeError("nginx said %r" % answer)
    return s


def ask(s, size):
    s.sendall(b"GET /%d HTTP/1.1\r\nHost: server\r\n\r\n" % size)
