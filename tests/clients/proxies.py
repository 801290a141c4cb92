"""The proxies, each with the least configuration that has it stand before a server."""

import getpass
import os
import pathlib

from clients import number_in, output
from processes import find, free_port, say, start, wait_for_port

APACHE_MODULES = ["/usr/lib/apache2/modules", "/usr/lib64/httpd/modules", "/usr/libexec/apache2"]


def nginx(folder, port, upstream, more="", name="nginx"):
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};\n"
        for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    )
    conf = pathlib.Path(folder, f"{name}.conf")
    conf.write_text(f"""
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx-error.log;
events {{ }}
http {{
    access_log off;
    client_max_body_size 0;
    {temporary}
    upstream servette {{ server 127.0.0.1:{upstream}; keepalive 8; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://servette;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            {more}
        }}
    }}
}}
""")
    return ["nginx", "-p", folder, "-e", f"{folder}/nginx-error.log", "-c", str(conf)]


def nginx_unbuffered(folder, port, upstream):
    return nginx(folder, port, upstream, "proxy_request_buffering off; proxy_buffering off;")


def haproxy(folder, port, upstream):
    conf = pathlib.Path(folder, "haproxy.conf")
    conf.write_text(f"""
global
    maxconn 100
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend front
    bind 127.0.0.1:{port}
    default_backend back
backend back
    server servette 127.0.0.1:{upstream}
""")
    return ["haproxy", "-db", "-f", str(conf)]


def apache(folder, port, upstream):
    modules = next((path for path in APACHE_MODULES if os.path.isdir(path)), APACHE_MODULES[0])
    user = "User nobody\nGroup nogroup" if os.geteuid() == 0 else ""
    conf = pathlib.Path(folder, "apache.conf")
    conf.write_text(f"""
ServerRoot {folder}
DefaultRuntimeDir {folder}
PidFile {folder}/apache.pid
ErrorLog {folder}/apache-error.log
ServerName localhost
Listen 127.0.0.1:{port}
{user}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule proxy_module {modules}/mod_proxy.so
LoadModule proxy_http_module {modules}/mod_proxy_http.so
ProxyPass / http://127.0.0.1:{upstream}/
""")
    program = "apache2" if find("apache2") else "httpd"
    return [program, "-DFOREGROUND", "-f", str(conf)]


def caddy(folder, port, upstream):
    conf = pathlib.Path(folder, "Caddyfile")
    conf.write_text(f"""
{{
    admin off
    auto_https off
}}
http://localhost:{port} {{
    bind 127.0.0.1
    reverse_proxy 127.0.0.1:{upstream}
}}
""")
    return ["caddy", "run", "--config", str(conf), "--adapter", "caddyfile"]


def lighttpd(folder, port, upstream, more=""):
    conf = pathlib.Path(folder, "lighttpd.conf")
    conf.write_text(f"""
server.modules = ( "mod_proxy" )
server.bind = "127.0.0.1"
server.port = {port}
server.document-root = "{folder}"
server.errorlog = "{folder}/lighttpd-error.log"
server.upload-dirs = ( "{folder}" )
proxy.server = ( "" => (( "host" => "127.0.0.1", "port" => {upstream} )) )
{more}
""")
    return ["lighttpd", "-D", "-f", str(conf)]


def lighttpd_streaming(folder, port, upstream):
    return lighttpd(folder, port, upstream, "server.stream-request-body = 2")


def varnish(folder, port, upstream):
    conf = pathlib.Path(folder, "varnish.vcl")
    conf.write_text(f"""
vcl 4.1;
backend servette {{ .host = "127.0.0.1"; .port = "{upstream}"; }}
sub vcl_recv {{ return (pass); }}
""")
    return ["varnishd", "-F", "-j", "none", "-a", f"127.0.0.1:{port}", "-T", "none",
            "-f", str(conf), "-n", f"{folder}/varnish", "-s", "malloc,50m"]


def squid(folder, port, upstream):
    user = "proxy" if os.geteuid() == 0 else getpass.getuser()
    conf = pathlib.Path(folder, "squid.conf")
    conf.write_text(f"""
http_port 127.0.0.1:{port} accel defaultsite=localhost no-vhost
cache_peer 127.0.0.1 parent {upstream} 0 no-query originserver name=servette
http_access allow all
cache deny all
access_log none
cache_log {folder}/squid-cache.log
coredump_dir {folder}
pid_filename none
visible_hostname localhost
cache_effective_user {user}
shutdown_lifetime 0 seconds
""")
    return ["squid", "-N", "-f", str(conf)]


# Name, program, configuration, and how it tells its version.
PROXIES = [
    ("nginx", "nginx", nginx, "-v"),
    ("nginx, unbuffered", "nginx", nginx_unbuffered, "-v"),
    ("HAProxy", "haproxy", haproxy, "-v"),
    ("Apache", "apache2", apache, "-v"),
    ("Caddy", "caddy", caddy, "version"),
    ("lighttpd", "lighttpd", lighttpd, "-v"),
    ("lighttpd, streaming", "lighttpd", lighttpd_streaming, "-v"),
    ("Varnish", "varnishd", varnish, "-V"),
    ("Squid", "squid", squid, "-v"),
]


def is_there(name, program):
    if find(program) or (program == "apache2" and find("httpd")):
        return True
    say(f"skipped: {name} is missing")
    return False


def version_of(name, program, option):
    """Some say it on stdout, some on stderr."""
    text = output("sh", "-c", f"{program} {option} 2>&1") or ""
    return f"{name.split(',')[0]} {number_in(text)}"


def start_proxy(name, configure, folder, upstream):
    """Its process and its port; None if it does not start, which is said."""
    folder = pathlib.Path(folder, f"{configure.__name__}-{upstream}")
    folder.mkdir(exist_ok=True)
    # Some run as another user when they are started by root.
    folder.chmod(0o777)
    for _ in range(3):
        port = free_port()
        process = start(configure(str(folder), port, upstream), str(folder))
        if wait_for_port(port, process):
            return process, port
        if process.poll() is None:
            break
    say(f"skipped: {name} does not start; its output is in {folder}")
    return process, None
