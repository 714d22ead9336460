// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * Ingress of a limited pod's host end and of the near end of the pair that limits it. All other programs see the pair's far end in
 * place of the pod's link: nothing of what they do is different for a limited pod, and the queues stand where the
 * pod cannot reach them.
 *
 *   pod ── twl… ══ shape ══ tws… ───── twt… ── from_pod
 *                            ↑           ↑
 *                    limits uploads   limits downloads
 */
#include "lib/metrics.h"
#include "lib/shape.h"

SEC("tc")
int shape(struct __sk_buff *skb)
{
	struct shaper_key key = { .ifindex = skb->ifindex };
	const struct shaper *to = bpf_map_lookup_elem(&shapers, &key);

	if (unlikely(!to))
		return VERDICT_DROP;
	count(skb, METRIC_FORWARD_SHAPED);
	if (!to->is_pod)
		return redirect(skb, to->ifindex, 0);
	/* The frame is addressed to the pod, which for the device that it came in by is somebody else. */
	if (skb->pkt_type != 0)
		bpf_skb_change_type(skb, 0);
	return redirect_peer(skb, to->ifindex);
}
