// A directory with names as they occur, and as nobody would choose them.
import fs from "node:fs";
import os from "node:os";
import path from "node:path";

export const ODD = [
  "plain.txt", "with space", " leading", "q?mark", "hash#tag", "per%41cent", "%2e%2e", "&amp;", "<b>bold<", "\"dq\" 'sq'",
  "a:b", "javascript:alert(1)", "back\\slash", "+plus;semi=eq,~", "new\nline\ttab", "del\x7f\x01", "snow☃.txt", "e\u0301.txt",
  "rtl\u202egpj.exe", "\u05e9\u05dc\u05d5\u05dd.txt", "...", ".hidden", "-rf", "x".repeat(255), "日本語.txt",
].map(name => Buffer.from(name)).concat([Buffer.from([0xff, 0xfe]), Buffer.from("caf\xe9", "latin1")]);

/// The directory has `odd`, `files`, `many` and `empty`; each odd file has its name as its content.
export function makeTree() {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), "servette-browser-"));
  const join = (...parts) => Buffer.concat(parts.flatMap(part => [Buffer.from("/"), Buffer.from(part)]).slice(1));
  for (const name of ["odd", "odd/dir & <i>", "files", "files/photos", "files/Documents", "many", "empty", "a", "a/b", "a/b/c"])
    fs.mkdirSync(path.join(root, name));
  for (const name of ODD) fs.writeFileSync(join(root, "odd", name), name);
  const long = "a name that is much longer than the line of any screen, with words and_some_that_have_no_space_at_all_".repeat(2);
  const files = { "file-1": 12, "file-2": 4_567, "file-10": 3_456_789, "README.md": 999, "video.mp4": 21_000_000, [long]: 1, "notes.txt": 45_678 };
  Object.entries(files).forEach(([name, size], i) => {
    const file = path.join(root, "files", name);
    fs.writeFileSync(file, "");
    fs.truncateSync(file, size);
    fs.utimesSync(file, 1_600_000_000 + 5_000_000 * i, 1_600_000_000 + 5_000_000 * i);
  });
  fs.symlinkSync("file-1", path.join(root, "files", "latest"));
  for (let i = 0; i < 10_000; i++) fs.writeFileSync(path.join(root, "many", `file-${i}.txt`), "");
  return root;
}
