import sys

import requests

fields = {"Expect": "100-continue"} if len(sys.argv) > 3 else {}
with open(sys.argv[2], "rb") as body:
    response = requests.post(sys.argv[1], data=body, headers=fields)
print(response.status_code)
print(response.text, end="")
