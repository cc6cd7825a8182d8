"""nginx before ingress, as in production: slow, idle and malformed clients end here.

Bodies are read in full before ingress sees a request. The body limit lies above ingress's own, so
that ingress itself answers 413. Ingress closes idle connections after 500 ms, so the pool here ends
earlier; a request that died with its connection goes out once more, which is harmless: webhooks are
de-duplicated by MessageSid. One process: a worker would outlive a killed master.
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
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            proxy_pass http://ingress;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_request_buffering on;
            proxy_connect_timeout 1s;
            proxy_read_timeout 15s;
            proxy_next_upstream error non_idempotent;
            proxy_next_upstream_tries 3;
        }}
    }}
}}
"""


class Nginx:
    def __init__(self, folder, port, upstream_ports):
        self.user = server_user("www-data")
        self.folder = own_dir(folder, self.user)
        self.port = port
        self.upstream_ports = list(upstream_ports)
        self.config = Path(self.folder) / "nginx.conf"
        self.child = Child("nginx", ["/usr/sbin/nginx", "-p", self.folder, "-c", self.config,
                                     "-e", "stderr"], self.folder / "nginx.log", user=self.user,
                           stop_signal=signal.SIGQUIT)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        servers = "\n".join(f"        server 127.0.0.1:{port} max_fails=0;"
                            for port in self.upstream_ports)
        give_file(self.config, CONFIG.format(folder=self.folder, port=self.port, servers=servers),
                  self.user)
        self.child.start()
        self.child.wait_ready(lambda: port_open(self.port), 10, "Is the port taken?")
        return self

    def stop(self):
        return self.child.stop(5)
