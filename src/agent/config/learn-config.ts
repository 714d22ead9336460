/** The configuration that an agent starts with: its file, its flags, and what the cluster says. */

import { type Learned, learnNetwork } from "./learn.ts";
import { learnSettings } from "./learn-settings.ts";
import { LiveConfig } from "./live-config.ts";
import { type ConfigSource, loadPlain, loadRecipe } from "./load.ts";

/**
 * Asks the cluster, if there is one, for at most some seconds.
 * @throws ConfigError when the file or the flags are wrong; what the cluster says keeps no agent from starting
 */
export async function learnConfig(
  source: ConfigSource,
  env: Readonly<Record<string, string | undefined>>,
): Promise<{ readonly live: LiveConfig; readonly learned: Learned }> {
  const alone = loadPlain(loadRecipe(source), source).config;
  const [learned, settings] = await Promise.all([learnNetwork(alone, env), learnSettings(alone, env)]);
  const recipe = loadRecipe({ ...source, base: learned.base });
  const plain = loadPlain(recipe, source);
  const live = new LiveConfig(recipe, plain, settings.layers, settings.before);
  return { live, learned: { ...learned, failure: learned.failure ?? settings.failure } };
}
