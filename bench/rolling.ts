/** `bench rolling`: ten backends are replaced under a thousand connections a second from inside and as many from outside. */

import { ECHO_IMAGE } from "../src/lab/kubelet/image.ts";
import { rolledInLab, startServiceLab } from "../test/fixture/service-lab.ts";
import { roll, startRolling, type Way } from "../test/service/rolling.cases.ts";
import type { BenchOptions } from "./path.ts";
import { type RowSpec, type RowWithRanges, type Sample, summarize, TWILL } from "./stats.ts";

const FULL = { sockets: 900, packets: 100, outside: 1000 } as const;
const QUICK = { sockets: 90, packets: 10, outside: 100 } as const;
const WAYS: readonly Way[] = ["sockets", "packets", "outside"];

const FIGURES = [
  ["rate", "1/s"],
  ["failed-rate", "1/s"],
  ["conn.p50", "us"],
  ["conn.p99", "us"],
  ["conn.slowest", "ms"],
] as const;

function specs(): RowSpec[] {
  return WAYS.flatMap((way) => FIGURES.map(([figure, unit]) => ({ name: `rolling.${way}.${figure}`, unit })));
}

/** Rolls once in each round. */
export async function benchRolling(options: BenchOptions): Promise<RowWithRanges[]> {
  await using stage = await startServiceLab({ name: "bench-rolling", nodes: 2 });
  await stage.pods({ client: "node-1" });
  const perSecond = options.isQuick ? QUICK : FULL;
  const rolling = {
    ...{ stage, image: ECHO_IMAGE, backends: 10, drainSeconds: 10, perSecond },
    clientBox: stage.lab.node("node-1").box,
    apply: (deployment: object) => void stage.lab.objects.apply(deployment as never),
    rolled: rolledInLab(stage),
  };
  const paces = await startRolling(rolling);
  const samples: Sample[] = [];
  for (let round = 0; round < options.rounds; round++) {
    options.signal.throwIfAborted();
    for (const [way, found] of await roll(rolling, paces, `${round + 2}`)) {
      const { attempts, failures, seconds, p50Ms, p99Ms, slowestMs } = found;
      const failed = Object.values(failures).reduce((a, b) => a + b, 0);
      options.log(
        `round ${round + 1}/${options.rounds} ${way}: ${attempts} connections in ${seconds.toFixed(1)} s, ${perSecond[way]} a second asked for; failed: ${JSON.stringify(failures)}`,
      );
      const figures = [attempts / seconds, failed / seconds, p50Ms * 1e3, p99Ms * 1e3, slowestMs];
      for (const [i, value] of figures.entries())
        samples.push({ row: `rolling.${way}.${FIGURES[i]?.[0]}`, subject: TWILL, round, value });
    }
  }
  return summarize(specs(), samples);
}
