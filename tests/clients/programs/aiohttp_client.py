import asyncio
import sys

import aiohttp


async def main():
    async with aiohttp.ClientSession() as session:
        with open(sys.argv[2], "rb") as body:
            expects = len(sys.argv) > 3
            async with session.post(sys.argv[1], data=body, expect100=expects) as response:
                text = await response.text()
                print(response.status)
                print(text, end="")


asyncio.run(main())
