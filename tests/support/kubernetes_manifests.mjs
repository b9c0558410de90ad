// SPDX-License-Identifier: Apache-2.0
// Validates Kubernetes objects against the schemas of Kubernetes' own OpenAPI description, as packaged in kubernetes-models,
// and, as the API server's strict mode does, refuses fields that the schema does not know.
// Usage: node kubernetes_manifests.mjs MODULES < a JSON array of objects      MODULES: the node_modules to take schemas from
// Prints one line for each fault; exit status 1 when there are any.
import {readFileSync} from "node:fs";
import {join} from "node:path";
import {pathToFileURL} from "node:url";

const schemas = {
  "v1/Namespace": "kubernetes-models/_schemas/IoK8sApiCoreV1Namespace",
  "apps/v1/DaemonSet": "kubernetes-models/_schemas/IoK8sApiAppsV1DaemonSet",
  "scheduling.k8s.io/v1/PriorityClass": "kubernetes-models/_schemas/IoK8sApiSchedulingV1PriorityClass",
  "monitoring.coreos.com/v1/PodMonitor":
    "@kubernetes-models/prometheus-operator/_schemas/" +
    "ComGithubPrometheusOperatorPrometheusOperatorPkgApisMonitoringV1PodMonitor",
};

// A validator asks an object for every field that its schema knows, whether it is there or not. What it never asked for,
// though it is there, is unknown. Records of one value go to one place: validators look at it more than once.
function watched(value, path, seen) {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map((item, index) => watched(item, `${path}/${index}`, seen));
  const copy = {};
  for (const key of Object.keys(value)) copy[key] = watched(value[key], `${path}/${key}`, seen);
  for (const key of Object.keys(value)) seen.set(`${path}/${key}`, false);
  return new Proxy(copy, {
    get(object, key) {
      if (typeof key === "string" && key in object) seen.set(`${path}/${key}`, true);
      return object[key];
    },
  });
}

function faults_of(object, validate) {
  const seen = new Map();
  const valid = validate(watched(object, "", seen));
  const faults = valid ? [] : validate.errors.map((e) => `${e.instancePath} ${e.keyword} ${JSON.stringify(e.params)}`);
  for (const [path, known] of seen) if (!known) faults.push(`${path} is no field of this kind`);
  return faults;
}

async function load(schema) {
  return (await import(pathToFileURL(join(process.argv[2], `${schema}.js`)))).validate;
}

const objects = JSON.parse(readFileSync(0, "utf8"));
let faults = 0;
for (const object of objects) {
  const kind = `${object.apiVersion}/${object.kind}`;
  const name = `${kind} ${object.metadata?.name}`;
  const found = kind in schemas ? faults_of(object, await load(schemas[kind])) : ["is of a kind without a schema here"];
  for (const fault of found) console.log(`${name}: ${fault}`);
  faults += found.length;
}
if (objects.length === 0) console.log("there are no objects to validate");
process.exit(faults > 0 || objects.length === 0 ? 1 : 0);
