import { kernelBehaviour } from "../suite/behaviour.ts";
import { openLinux, whyNoKernel } from "./test-bench.ts";

const skip = whyNoKernel();
kernelBehaviour("linux with tcx", () => openLinux("tcx"), skip);
kernelBehaviour("linux with clsact", () => openLinux("clsact"), skip);
