// Bodies as client-go encodes them, and the JSON that Go says of the same objects: one line for each, as
// protobuf-bodies.jsonl.gz has them of Kubernetes 1.20.2 (Debian's source package; Apache-2.0).
//
// Copied to cmd/bodies of such a tree below GOPATH (test/cluster/kube/programs.ts makes one), with GO111MODULE=off:
//
//	go build -o bodies ./cmd/bodies && ./bodies | gzip -9n >protobuf-bodies.jsonl.gz
//	./bodies 60     that many random objects of each kind
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"reflect"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	authnv1 "k8s.io/api/authentication/v1"
	authzv1 "k8s.io/api/authorization/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	batchv1 "k8s.io/api/batch/v1"
	batchv1beta1 "k8s.io/api/batch/v1beta1"
	coordv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discv1 "k8s.io/api/discovery/v1beta1"
	netv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1beta1"
	rbacv1 "k8s.io/api/rbac/v1"
	schedv1 "k8s.io/api/scheduling/v1"
	storagev1 "k8s.io/api/storage/v1"
	apiextv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apimachinery/pkg/util/intstr"
)

type kind struct {
	gv, kind string
	obj      runtime.Object
}

var kinds = []kind{
	{"v1", "Namespace", &corev1.Namespace{}}, {"v1", "Node", &corev1.Node{}}, {"v1", "Pod", &corev1.Pod{}},
	{"v1", "Service", &corev1.Service{}}, {"v1", "ServiceAccount", &corev1.ServiceAccount{}}, {"v1", "ConfigMap", &corev1.ConfigMap{}},
	{"v1", "Secret", &corev1.Secret{}}, {"v1", "Event", &corev1.Event{}}, {"v1", "Endpoints", &corev1.Endpoints{}},
	{"v1", "PersistentVolumeClaim", &corev1.PersistentVolumeClaim{}}, {"v1", "PersistentVolume", &corev1.PersistentVolume{}},
	{"v1", "LimitRange", &corev1.LimitRange{}}, {"v1", "ResourceQuota", &corev1.ResourceQuota{}}, {"v1", "ReplicationController", &corev1.ReplicationController{}},
	{"v1", "Binding", &corev1.Binding{}}, {"v1", "DeleteOptions", &metav1.DeleteOptions{}},
	{"apps/v1", "DaemonSet", &appsv1.DaemonSet{}}, {"apps/v1", "Deployment", &appsv1.Deployment{}}, {"apps/v1", "ReplicaSet", &appsv1.ReplicaSet{}},
	{"apps/v1", "StatefulSet", &appsv1.StatefulSet{}}, {"batch/v1", "Job", &batchv1.Job{}}, {"batch/v1", "CronJob", &batchv1beta1.CronJob{}},
	{"discovery.k8s.io/v1", "EndpointSlice", &discv1.EndpointSlice{}}, {"coordination.k8s.io/v1", "Lease", &coordv1.Lease{}},
	{"networking.k8s.io/v1", "NetworkPolicy", &netv1.NetworkPolicy{}}, {"networking.k8s.io/v1", "Ingress", &netv1.Ingress{}},
	{"networking.k8s.io/v1", "IngressClass", &netv1.IngressClass{}},
	{"rbac.authorization.k8s.io/v1", "Role", &rbacv1.Role{}}, {"rbac.authorization.k8s.io/v1", "RoleBinding", &rbacv1.RoleBinding{}},
	{"rbac.authorization.k8s.io/v1", "ClusterRole", &rbacv1.ClusterRole{}}, {"rbac.authorization.k8s.io/v1", "ClusterRoleBinding", &rbacv1.ClusterRoleBinding{}},
	{"policy/v1", "PodDisruptionBudget", &policyv1.PodDisruptionBudget{}}, {"policy/v1", "Eviction", &policyv1.Eviction{}},
	{"scheduling.k8s.io/v1", "PriorityClass", &schedv1.PriorityClass{}}, {"storage.k8s.io/v1", "StorageClass", &storagev1.StorageClass{}},
	{"apiextensions.k8s.io/v1", "CustomResourceDefinition", &apiextv1.CustomResourceDefinition{}},
	{"authentication.k8s.io/v1", "TokenRequest", &authnv1.TokenRequest{}}, {"authentication.k8s.io/v1", "TokenReview", &authnv1.TokenReview{}},
	{"authorization.k8s.io/v1", "SelfSubjectAccessReview", &authzv1.SelfSubjectAccessReview{}}, {"authorization.k8s.io/v1", "SubjectAccessReview", &authzv1.SubjectAccessReview{}},
	{"authorization.k8s.io/v1", "LocalSubjectAccessReview", &authzv1.LocalSubjectAccessReview{}}, {"authorization.k8s.io/v1", "SelfSubjectRulesReview", &authzv1.SelfSubjectRulesReview{}},
	{"autoscaling/v1", "Scale", &autoscalingv1.Scale{}},
}

// full: every field set, each list of one; zero: every pointer and list there with empty values; random: a coin for each.
type filler struct {
	mode string
	n    int
	r    *rand.Rand
	skip bool // PodSpec below others left small
}

func (f *filler) num() int { f.n++; return f.n }
func (f *filler) has() bool {
	if f.mode == "random" {
		return f.r.Intn(100) < 60
	}
	return true
}
func (f *filler) zero() bool { return f.mode == "zero" || (f.mode == "random" && f.r.Intn(4) == 0) }
func (f *filler) count() int {
	if f.mode == "random" {
		return f.r.Intn(3)
	}
	return 1
}
func (f *filler) str() string {
	if f.zero() {
		return ""
	}
	if f.mode == "random" && f.r.Intn(6) == 0 {
		return []string{"ä\u2028\"<>&", "__proto__", "a b\n", "🐟"}[f.r.Intn(4)]
	}
	return "s" + strconv.Itoa(f.num())
}
func (f *filler) raw() []byte {
	return []byte([]string{`{"a":[1,"b",null]}`, `"x"`, `7`, `true`, `[1,{"b":0.5}]`, `{"f:a":{}}`}[f.num()%6])
}

func (f *filler) fill(v reflect.Value, depth int) {
	switch p := v.Addr().Interface().(type) {
	case *metav1.Time:
		if !f.zero() {
			*p = metav1.NewTime(time.Unix(1600000000+int64(f.num())*86400, 0).UTC())
		}
		return
	case *metav1.MicroTime:
		if !f.zero() {
			*p = metav1.NewMicroTime(time.Unix(1600000000+int64(f.num()), int64(f.num())*1000).UTC())
		}
		return
	case *resource.Quantity:
		*p = resource.MustParse([]string{"1", "100m", "5Gi", "1500Mi", "2k"}[f.num()%5])
		if f.zero() {
			*p = resource.MustParse("0")
		}
		return
	case *intstr.IntOrString:
		if f.zero() {
			*p = intstr.FromInt(0)
		} else if f.num()%2 == 0 {
			*p = intstr.FromInt(f.num())
		} else {
			*p = intstr.FromString(strconv.Itoa(f.num()) + "%")
		}
		return
	case *metav1.FieldsV1:
		p.Raw = []byte(`{"f:spec":{"f:a":{}}}`)
		return
	case *runtime.RawExtension:
		p.Raw = f.raw()
		return
	case *apiextv1.JSON:
		p.Raw = f.raw()
		return
	case *apiextv1.JSONSchemaPropsOrBool:
		p.Allows = f.num()%3 != 0
		if f.num()%2 == 0 && depth < 12 {
			p.Allows = true
			p.Schema = &apiextv1.JSONSchemaProps{}
			f.fill(reflect.ValueOf(p.Schema).Elem(), depth+3)
		}
		return
	case *apiextv1.JSONSchemaPropsOrArray:
		if f.num()%2 == 0 {
			p.JSONSchemas = make([]apiextv1.JSONSchemaProps, 2)
			f.fill(reflect.ValueOf(&p.JSONSchemas[0]).Elem(), depth+3)
			return
		}
		p.Schema = &apiextv1.JSONSchemaProps{}
		f.fill(reflect.ValueOf(p.Schema).Elem(), depth+3)
		return
	case *apiextv1.JSONSchemaPropsOrStringArray:
		if f.num()%2 == 0 {
			p.Property = []string{"a", f.str()}
			return
		}
		p.Schema = &apiextv1.JSONSchemaProps{}
		f.fill(reflect.ValueOf(p.Schema).Elem(), depth+3)
		return
	case *apiextv1.JSONSchemaProps:
		if depth > 8 || (depth > 5 && f.mode != "random") {
			p.Type = "string"
			return
		}
	case *corev1.PodTemplateSpec:
		if f.skip {
			p.Name = "t"
			p.Spec.Containers = []corev1.Container{{Name: "c", Image: "i"}}
			return
		}
	case *metav1.TypeMeta:
		return
	case *corev1.PodIP:
		// omitempty until 1.30, not since: its zero is the one thing of which the versions do not say the same.
		p.IP = "10.0.0." + strconv.Itoa(f.num())
		return
	case *corev1.HostAlias:
		p.IP, p.Hostnames = "10.0.0."+strconv.Itoa(f.num()), []string{f.str()}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := 0; i < v.NumField(); i++ {
			if v.Type().Field(i).PkgPath == "" {
				f.fill(v.Field(i), depth+1)
			}
		}
	case reflect.Ptr:
		if f.has() && depth < 60 {
			v.Set(reflect.New(v.Type().Elem()))
			f.fill(v.Elem(), depth)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			// A map never has nil here: JSON says null of it, a decoder makes it empty.
			v.SetBytes([]byte{})
			if !f.zero() {
				v.SetBytes([]byte{0, 255, byte(f.num())})
			}
			return
		}
		if !f.has() {
			return
		}
		n := f.count()
		if n == 0 {
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := 0; i < n; i++ {
			f.fill(v.Index(i), depth)
		}
	case reflect.Map:
		if !f.has() {
			return
		}
		n := f.count()
		if n == 0 {
			return
		}
		v.Set(reflect.MakeMap(v.Type()))
		for i := 0; i < n; i++ {
			k, e := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			k.SetString("k" + strconv.Itoa(f.num()))
			f.fill(e, depth)
			v.SetMapIndex(k, e)
		}
	case reflect.String:
		v.SetString(f.str())
	case reflect.Bool:
		v.SetBool(!f.zero())
	case reflect.Int32, reflect.Int64, reflect.Int:
		if !f.zero() {
			n := int64(f.num())
			if f.mode == "random" && f.r.Intn(5) == 0 {
				n = -n * 1000
			}
			v.SetInt(n)
		}
	case reflect.Float64:
		if !f.zero() {
			v.SetFloat(float64(f.num()) + 0.25)
		}
	default:
		panic(v.Type().String())
	}
}

func main() {
	modes := []string{"full", "zero"}
	rounds := 0
	if len(os.Args) > 1 {
		rounds, _ = strconv.Atoi(os.Args[1])
	}
	scheme := runtime.NewScheme()
	for _, k := range kinds {
		gv, _ := schema.ParseGroupVersion(k.gv)
		scheme.AddKnownTypeWithName(gv.WithKind(k.kind), k.obj)
		_ = gv
	}
	s := protobuf.NewSerializer(scheme, scheme)
	emit := func(k kind, mode string, seed int64, skip bool) {
		obj := reflect.New(reflect.TypeOf(k.obj).Elem()).Interface().(runtime.Object)
		f := &filler{mode: mode, r: rand.New(rand.NewSource(seed)), skip: skip}
		f.fill(reflect.ValueOf(obj).Elem(), 0)
		gv, _ := schema.ParseGroupVersion(k.gv)
		obj.GetObjectKind().SetGroupVersionKind(gv.WithKind(k.kind))
		var b bytes.Buffer
		if err := s.Encode(obj, &b); err != nil {
			panic(err)
		}
		j, err := json.Marshal(obj)
		if err != nil {
			panic(fmt.Sprint(k.kind, mode, err))
		}
		// discovery/v1 is as v1beta1, but for this name.
		j = bytes.ReplaceAll(j, []byte(`"topology":`), []byte(`"deprecatedTopology":`))
		line, _ := json.Marshal(map[string]interface{}{"kind": k.gv + "/" + k.kind, "mode": mode, "proto": base64.StdEncoding.EncodeToString(b.Bytes()), "json": json.RawMessage(j)})
		fmt.Println(string(line))
	}
	for _, k := range kinds {
		if rounds == 0 {
			for _, m := range modes {
				emit(k, m, 0, k.kind != "Pod")
			}
			continue
		}
		for i := 0; i < rounds; i++ {
			emit(k, "random", int64(i+1), false)
		}
	}
}
