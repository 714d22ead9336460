// Written by tools/gen-protobuf-tables.ts; do not edit.
// Names and numbers of fields of k8s.io/api, apimachinery and apiextensions-apiserver (Apache-2.0), as in kubectl 1.32.4 and kube-apiserver 1.20.2.

/** Fields by message; ../protobuf-tables.ts says how they are written. */
export const APIEXTENSIONS_MESSAGES: Readonly<Record<string, string>> = {
  "apiextensions.CustomResourceColumnDefinition": "1 name string!, 2 type string!, 3 format string, 4 description string, 5 priority int, 6 jsonPath string!",
  "apiextensions.CustomResourceConversion": "1 strategy string!, 2 webhook WebhookConversion",
  "apiextensions.CustomResourceDefinition": "1 metadata meta.ObjectMeta, 2 spec CustomResourceDefinitionSpec, 3 status CustomResourceDefinitionStatus",
  "apiextensions.CustomResourceDefinitionCondition": "1 type string!, 2 status string!, 3 lastTransitionTime Time, 4 reason string, 5 message string",
  "apiextensions.CustomResourceDefinitionNames": "1 plural string!, 2 singular string, 3 shortNames []string, 4 kind string!, 5 listKind string, 6 categories []string",
  "apiextensions.CustomResourceDefinitionSpec": "1 group string!, 3 names CustomResourceDefinitionNames, 4 scope string!, 7 versions []CustomResourceDefinitionVersion, 9 conversion CustomResourceConversion, 10 preserveUnknownFields bool",
  "apiextensions.CustomResourceDefinitionStatus": "1 conditions []CustomResourceDefinitionCondition, 2 acceptedNames CustomResourceDefinitionNames, 3 storedVersions []string",
  "apiextensions.CustomResourceDefinitionVersion": "1 name string!, 2 served bool!, 3 storage bool!, 4 schema CustomResourceValidation, 5 subresources CustomResourceSubresources, 6 additionalPrinterColumns []CustomResourceColumnDefinition, 7 deprecated bool, 8 deprecationWarning string!",
  "apiextensions.CustomResourceSubresourceScale": "1 specReplicasPath string!, 2 statusReplicasPath string!, 3 labelSelectorPath string!",
  "apiextensions.CustomResourceSubresourceStatus": "",
  "apiextensions.CustomResourceSubresources": "1 status CustomResourceSubresourceStatus, 2 scale CustomResourceSubresourceScale",
  "apiextensions.CustomResourceValidation": "1 openAPIV3Schema JSONSchemaProps",
  "apiextensions.ExternalDocumentation": "1 description string, 2 url string",
  "apiextensions.JSONSchemaProps": "1 id string, 2 $schema string, 3 $ref string!, 4 description string, 5 type string, 6 format string, 7 title string, 8 default Raw, 9 maximum double!, 10 exclusiveMaximum bool, 11 minimum double!, 12 exclusiveMinimum bool, 13 maxLength int!, 14 minLength int!, 15 pattern string, 16 maxItems int!, 17 minItems int!, 18 uniqueItems bool, 19 multipleOf double!, 20 enum []Raw, 21 maxProperties int!, 22 minProperties int!, 23 required []string, 24 items SchemaOrList, 25 allOf []JSONSchemaProps, 26 oneOf []JSONSchemaProps, 27 anyOf []JSONSchemaProps, 28 not JSONSchemaProps, 29 properties {}JSONSchemaProps, 30 additionalProperties SchemaOrBool, 31 patternProperties {}JSONSchemaProps, 32 dependencies {}SchemaOrStrings, 33 additionalItems SchemaOrBool, 34 definitions {}JSONSchemaProps, 35 externalDocs ExternalDocumentation, 36 example Raw, 37 nullable bool, 38 x-kubernetes-preserve-unknown-fields bool!, 39 x-kubernetes-embedded-resource bool, 40 x-kubernetes-int-or-string bool, 41 x-kubernetes-list-map-keys []string, 42 x-kubernetes-list-type string!, 43 x-kubernetes-map-type string!",
  "apiextensions.ServiceReference": "1 namespace string!, 2 name string!, 3 path string!, 4 port int!",
  "apiextensions.WebhookClientConfig": "1 service ServiceReference, 2 caBundle bytes, 3 url string!",
  "apiextensions.WebhookConversion": "2 clientConfig WebhookClientConfig, 3 conversionReviewVersions []string",
};
