const http = require("http");
const fs = require("fs");

const [url, file, expects] = process.argv.slice(2);
const body = fs.readFileSync(file);
const headers = { "Content-Length": body.length };
if (expects) headers.Expect = "100-continue";
const request = http.request(url, { method: "POST", headers }, (response) => {
  let text = "";
  response.on("data", (data) => (text += data));
  response.on("error", fail);
  response.on("end", () => {
    process.stdout.write(`${response.statusCode}\n${text}`);
    process.exitCode = response.complete ? 0 : 1;
    request.destroy();
  });
});
const fail = (error) => {
  console.error(String(error));
  process.exit(1);
};
request.on("error", fail);
if (expects) {
  request.on("continue", () => request.end(body));
  request.flushHeaders();
} else {
  request.end(body);
}
