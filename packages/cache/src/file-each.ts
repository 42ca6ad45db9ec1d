/** This file owns the bound on files open at once: a batch of a thousand keys must not use up the process's descriptors. */

const AT_ONCE = 32;

/** `work` on each of `inputs`, at most 32 at a time; answers in order. Stops at the first rejection. */
export async function eachBounded<I, O>(inputs: readonly I[], work: (input: I) => Promise<O>): Promise<O[]> {
  const outputs: O[] = new Array(inputs.length);
  let next = 0;
  const lane = async () => {
    while (next < inputs.length) {
      const at = next;
      next += 1;
      outputs[at] = await work(inputs[at] as I);
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, inputs.length) }, lane));
  return outputs;
}
