import { kernelBehaviour, programBehaviour } from "../suite/behaviour.ts";
import { openLinux, whyNoKernel } from "./test-bench.ts";

const skip = whyNoKernel();
kernelBehaviour("linux", () => openLinux("auto"), skip);
programBehaviour("linux with tcx only", () => openLinux("tcx"), skip);
programBehaviour("linux with clsact only", () => openLinux("clsact"), skip);
