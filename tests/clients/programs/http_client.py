import http.client
import os
import sys
import urllib.parse

url = urllib.parse.urlsplit(sys.argv[1])
fields = {"Expect": "100-continue"} if len(sys.argv) > 3 else {}
fields["Content-Length"] = str(os.path.getsize(sys.argv[2]))
connection = http.client.HTTPConnection(url.hostname, url.port)
with open(sys.argv[2], "rb") as body:
    connection.request("POST", url.path, body, fields)
response = connection.getresponse()
print(response.status)
print(response.read().decode(), end="")
