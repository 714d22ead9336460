/** Labels by which Services and EndpointSlices are none of the usual proxy's: whatever they say, as with kube-proxy. */

/** Of another proxy, which the value names. */
export const PROXY_NAME_LABEL = "service.kubernetes.io/service-proxy-name";

/** A name that leads to endpoints, and no address that does. */
export const HEADLESS_LABEL = "service.kubernetes.io/headless";
