"""nginx before ingress, as in production: slow, idle and malformed clients end here.

Bodies are read in full before ingress sees a request. The body limit lies above ingress's own, so
that ingress itself answers 413. Ingress closes idle connections after 500 ms, so the pool here ends
earlier; a request that died with its connection goes out once more, which is harmless: webhooks are
de-duplicated by MessageSid. A call's request, or socket, that one ingress answers with 503 (it
drains, or is full) goes to the next: a caller has nobody who would ask again. So does one that an
ingress died with; X-Request-Start tells the next how long the caller has waited. One process: a
worker would outlive a killed master.
"""

import signal
from pathlib import Path

from procs import Child, give_file, own_dir, port_open, server_user

CONFIG = """daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    server_tokens off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_max_body_size 80k;
    client_header_timeout 10s;
    client_body_timeout 10s;
    send_timeout 10s;
    keepalive_timeout 20s;
    large_client_header_buffers 4 8k;
    merge_slashes off;
    upstream ingress {{
{servers}
        keepalive 32;
        keepalive_timeout 400ms;
    }}
    upstream relay {{
{relays}
    }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Request-Start "t=$msec";
        proxy_request_buffering on;
        proxy_connect_timeout 1s;
        proxy_next_upstream_tries 3;
        location / {{
            proxy_pass http://ingress;
            proxy_read_timeout 15s;
            proxy_next_upstream error non_idempotent;
        }}
        location /twilio/voice {{
            proxy_pass http://ingress;
            proxy_read_timeout 5s;
            proxy_next_upstream error timeout http_503 non_idempotent;
        }}
        location /relay/ {{
            proxy_pass http://relay;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "upgrade";
            proxy_set_header Host $http_host;
            proxy_read_timeout 90s;
            proxy_send_timeout 90s;
            proxy_next_upstream error http_503;
        }}
    }}
}}
"""


def servers_of(ports):
    return "\n".join(f"        server 127.0.0.1:{port} max_fails=0;" for port in ports)


class Nginx:
    def __init__(self, folder, port, upstream_ports, relay_ports):
        self.user = server_user("www-data")
        self.folder = own_dir(folder, self.user)
        self.port = port
        self.upstream_ports = list(upstream_ports)
        self.relay_ports = list(relay_ports)
        self.config = Path(self.folder) / "nginx.conf"
        self.child = Child("nginx", ["/usr/sbin/nginx", "-p", self.folder, "-c", self.config,
                                     "-e", "stderr"], self.folder / "nginx.log", user=self.user,
                           stop_signal=signal.SIGQUIT)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        give_file(self.config, CONFIG.format(folder=self.folder, port=self.port,
                                             servers=servers_of(self.upstream_ports),
                                             relays=servers_of(self.relay_ports)), self.user)
        self.child.start()
        self.child.wait_ready(lambda: port_open(self.port), 10, "Is the port taken?")
        return self

    def stop(self):
        return self.child.stop(5)
