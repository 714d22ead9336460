import net from "node:net";

const [mode, host, port, seconds] = process.argv.slice(2);
if (mode === "server")
  net
    .createServer((s) => {
      s.on("data", (d) => s.end(d));
      s.on("error", () => undefined);
    })
    .listen(Number(port), host);
else {
  const end = performance.now() + Number(seconds) * 1000;
  let n = 0;
  while (performance.now() < end) {
    await new Promise((r) => {
      const s = net.connect(Number(port), host, () => s.write("x"));
      s.on("data", () => undefined);
      s.on("close", r);
    });
    n++;
  }
  console.log(n / Number(seconds));
}
