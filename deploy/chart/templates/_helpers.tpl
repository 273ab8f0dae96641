{{- define "tallymill.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains "tallymill" .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-tallymill" (.Release.Name | trunc 30 | trimSuffix "-") -}}
{{- end -}}
{{- end }}

{{/* All labels of an object. Arguments: root, component (may be empty). */}}
{{- define "tallymill.labels" -}}
{{ include "tallymill.selector" . }}
app.kubernetes.io/version: {{ (index . 0).Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ (index . 0).Release.Service }}
app.kubernetes.io/part-of: tallymill
helm.sh/chart: {{ printf "%s-%s" (index . 0).Chart.Name (index . 0).Chart.Version | replace "+" "_" }}
{{- end }}

{{/* The labels that select. Arguments: root, component (may be empty). They never change: a Deployment forbids it. */}}
{{- define "tallymill.selector" -}}
app.kubernetes.io/name: tallymill
app.kubernetes.io/instance: {{ (index . 0).Release.Name | quote }}
{{- with index . 1 }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end }}

{{- define "tallymill.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{ printf "%s@%s" $image.repository $image.digest }}
{{- else -}}
{{ printf "%s:%s" $image.repository ($image.tag | default .Chart.AppVersion) }}
{{- end -}}
{{- end }}

{{/* The sections of the settings that each command reads. */}}
{{- define "tallymill.sections" -}}
{{- $sections := dict
  "ingress" (list "kafka" "mongodb" "limits" "tokens" "ingress")
  "worker" (list "kafka" "mongodb" "limits" "worker")
  "console" (list "kafka" "mongodb" "tokens" "oidc" "console")
  "canary" (list "canary")
  "init" (list "kafka" "mongodb" "limits")
-}}
{{- get $sections . | toJson -}}
{{- end }}

{{/* The environment of a command, as a map. Arguments: root, command. */}}
{{- define "tallymill.environment" -}}
{{- $root := index . 0 -}}
{{- $command := index . 1 -}}
TALLYMILL_SECRETS_DIR: /etc/tallymill/secrets
{{- range $section := include "tallymill.sections" $command | fromJsonArray }}
{{- range $name, $value := index $root.Values.settings $section }}
{{- if not (kindIs "invalid" $value) }}
TALLYMILL_{{ upper $section }}__{{ upper $name }}: {{ if kindIs "string" $value }}{{ $value | quote }}{{ else }}{{ $value | toJson | quote }}{{ end }}
{{- end }}
{{- end }}
{{- end }}
{{- if eq $command "ingress" }}
TALLYMILL_INGRESS__HOST: {{ $root.Values.bindAddress | quote }}
TALLYMILL_INGRESS__PORT: {{ $root.Values.ingress.port | toJson | quote }}
{{- else if eq $command "worker" }}
TALLYMILL_WORKER__METRICS_HOST: {{ $root.Values.bindAddress | quote }}
TALLYMILL_WORKER__METRICS_PORT: {{ $root.Values.worker.port | toJson | quote }}
{{- else if eq $command "console" }}
TALLYMILL_CONSOLE__HOST: {{ $root.Values.bindAddress | quote }}
TALLYMILL_CONSOLE__PORT: {{ $root.Values.console.port | toJson | quote }}
{{- else if eq $command "canary" }}
TALLYMILL_CANARY__METRICS_HOST: {{ $root.Values.bindAddress | quote }}
TALLYMILL_CANARY__METRICS_PORT: {{ $root.Values.canary.port | toJson | quote }}
{{- if not $root.Values.settings.canary.url }}
TALLYMILL_CANARY__URL: {{ printf "http://%s-ingress:%s" (include "tallymill.fullname" $root) ($root.Values.ingress.service.port | toJson) | quote }}
{{- end }}
{{- end }}
{{- range $name, $value := $root.Values.extraEnv }}
{{ $name | quote }}: {{ $value | quote }}
{{- end }}
{{- end }}

{{/* How long a pod may take to end: preStop, drain, stop, and 10 s for what follows them. Arguments: numbers. */}}
{{- define "tallymill.grace" -}}
{{- $seconds := 10.0 -}}
{{- range . }}{{ $seconds = addf $seconds . }}{{ end -}}
{{- ceil $seconds | int -}}
{{- end }}

{{- define "tallymill.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "tallymill.containerSecurity" -}}
allowPrivilegeEscalation: false
capabilities: {drop: [ALL]}
privileged: false
readOnlyRootFilesystem: true
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* The parts of a pod's spec that all have. Arguments: root, values of the component. */}}
{{- define "tallymill.podBasics" -}}
{{- $root := index . 0 -}}
{{- $values := index . 1 -}}
automountServiceAccountToken: false
# Without it, Kubernetes sets variables that begin with TALLYMILL_ for each Service.
enableServiceLinks: false
{{- with $root.Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . | quote }}
{{- end }}
{{- end }}
securityContext:
  {{- include "tallymill.podSecurity" . | nindent 2 }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumes:
  - name: tmp
    emptyDir: {sizeLimit: 64Mi}
  - name: secrets
    secret:
      secretName: {{ $values.existingSecret | default $root.Values.existingSecret | quote }}
      defaultMode: 0440
{{- end }}

{{/* The parts of a container that all have. Arguments: root, values of the component. */}}
{{- define "tallymill.containerBasics" -}}
{{- $root := index . 0 -}}
{{- $values := index . 1 -}}
image: {{ include "tallymill.image" $root | quote }}
imagePullPolicy: {{ $root.Values.image.pullPolicy | default (ternary "IfNotPresent" "Always" (not (empty $root.Values.image.digest))) }}
securityContext:
  {{- include "tallymill.containerSecurity" . | nindent 2 }}
resources:
  {{- toYaml $values.resources | nindent 2 }}
volumeMounts:
  - {name: tmp, mountPath: /tmp}
  - {name: secrets, mountPath: /etc/tallymill/secrets, readOnly: true}
{{- end }}

{{/* A ConfigMap and the Deployment that reads it.
Arguments, a dict: root, command, name (what is appended to the full name), values, grace; and, where they apply:
replicas, strategy, preStopSeconds, environment (variables of this Deployment), apis (of a worker). */}}
{{- define "tallymill.deployment" -}}
{{- $root := .root -}}
{{- $fullname := printf "%s-%s" (include "tallymill.fullname" $root) .name -}}
{{- $environment := include "tallymill.environment" (list $root .command) | fromYaml -}}
{{- $environment = merge (.environment | default dict) $environment -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ $fullname }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "tallymill.labels" (list $root .command) | nindent 4 }}
data:
  {{- toYaml $environment | nindent 2 }}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $fullname }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "tallymill.labels" (list $root .command) | nindent 4 }}
    {{- with .apis }}
    tallymill/apis: {{ . }}
    {{- end }}
spec:
  {{- if not (kindIs "invalid" .replicas) }}
  replicas: {{ .replicas }}
  {{- end }}
  revisionHistoryLimit: 5
  strategy:
    {{- toYaml .strategy | nindent 4 }}
  selector:
    matchLabels:
      {{- include "tallymill.selector" (list $root .command) | nindent 6 }}
      {{- with .apis }}
      tallymill/apis: {{ . }}
      {{- end }}
  template:
    metadata:
      labels:
        {{- include "tallymill.labels" (list $root .command) | nindent 8 }}
        {{- with .apis }}
        tallymill/apis: {{ . }}
        {{- end }}
      annotations:
        # A change of the settings starts the pods again.
        tallymill/settings: {{ toJson $environment | sha256sum }}
        {{- with $root.Values.secretRevision }}
        tallymill/secret-revision: {{ if kindIs "string" . }}{{ . | quote }}{{ else }}{{ . | toJson | quote }}{{ end }}
        {{- end }}
        kubectl.kubernetes.io/default-container: {{ .command }}
        {{- with .values.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      {{- include "tallymill.podBasics" (list $root .values) | nindent 6 }}
      terminationGracePeriodSeconds: {{ .grace }}
      topologySpreadConstraints:
        {{- range $key := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
        - maxSkew: 1
          topologyKey: {{ $key }}
          whenUnsatisfiable: ScheduleAnyway
          matchLabelKeys: [pod-template-hash]
          labelSelector:
            matchLabels:
              {{- include "tallymill.selector" (list $root $.command) | nindent 14 }}
        {{- end }}
      containers:
        - name: {{ .command }}
          {{- include "tallymill.containerBasics" (list $root .values) | nindent 10 }}
          args: [{{ .command }}]
          envFrom:
            - configMapRef: {name: {{ $fullname }}}
          ports:
            - {name: http, containerPort: {{ .values.port }}, protocol: TCP}
          # Until the port is open. A process that waits for Kafka or MongoDB is alive, so that an outage restarts nothing.
          startupProbe:
            httpGet: {path: /livez, port: http}
            periodSeconds: 2
            timeoutSeconds: 2
            failureThreshold: 60
          readinessProbe:
            httpGet: {path: /readyz, port: http}
            periodSeconds: 5
            timeoutSeconds: 3
            failureThreshold: 2
          livenessProbe:
            httpGet: {path: /livez, port: http}
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 3
          {{- with .preStopSeconds }}
          lifecycle:
            preStop:
              exec:
                command: [/opt/tallymill/bin/python, -c, "import time; time.sleep({{ . }})"]
          {{- end }}
{{- end }}

{{- define "tallymill.budget" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "tallymill.fullname" .root }}-{{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "tallymill.labels" (list .root .command) | nindent 4 }}
spec:
  maxUnavailable: 1
  # A pod that is not ready may always be evicted.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "tallymill.selector" (list .root .command) | nindent 6 }}
      {{- with .apis }}
      tallymill/apis: {{ . }}
      {{- end }}
{{- end }}

{{- define "tallymill.service" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "tallymill.fullname" .root }}-{{ .command }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "tallymill.labels" (list .root .command) | nindent 4 }}
  {{- with .values.service.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  type: {{ .values.service.type }}
  ports:
    - {name: http, port: {{ .values.service.port }}, targetPort: http, protocol: TCP, appProtocol: http}
  selector:
    {{- include "tallymill.selector" (list .root .command) | nindent 4 }}
{{- end }}

{{/* The Deployments of workers, as JSON: name, apis (a label, empty if both are in one), list, replicas. */}}
{{- define "tallymill.workers" -}}
{{- $worker := .Values.worker -}}
{{- if $worker.perApi -}}
{{- $all := list -}}
{{- range $api := list "games" "analytics" -}}
{{- $own := (index $worker $api).replicas -}}
{{- $replicas := ternary $worker.replicas $own (kindIs "invalid" $own) -}}
{{- $all = append $all (dict "name" (printf "worker-%s" $api) "apis" $api "list" (list $api) "replicas" $replicas) -}}
{{- end -}}
{{- toJson $all -}}
{{- else -}}
{{- list (dict "name" "worker" "apis" "all" "list" (list "games" "analytics") "replicas" $worker.replicas) | toJson -}}
{{- end -}}
{{- end }}

{{/* Everything that is wrong with the values, at once. */}}
{{- define "tallymill.check" -}}
{{- $wrong := list -}}
{{- $settings := .Values.settings -}}
{{- if not $settings.kafka.bootstrap_servers }}{{ $wrong = append $wrong "settings.kafka.bootstrap_servers: required, as host:port[,host:port]" }}{{ end -}}
{{- if not $settings.tokens.issuer }}{{ $wrong = append $wrong "settings.tokens.issuer: required" }}{{ end -}}
{{- if not $settings.tokens.audience }}{{ $wrong = append $wrong "settings.tokens.audience: required" }}{{ end -}}
{{- $issuers := without (list $settings.tokens.jwks $settings.tokens.introspection_url) nil "" -}}
{{- if and (not $issuers) (not .Values.issuerInSecret) }}{{ $wrong = append $wrong "settings.tokens.jwks or settings.tokens.introspection_url: required, or issuerInSecret" }}{{ end -}}
{{- if and $issuers .Values.issuerInSecret }}{{ $wrong = append $wrong "issuerInSecret: settings.tokens.jwks or settings.tokens.introspection_url would be used instead of what is in the Secret" }}{{ end -}}
{{- range $name, $_ := .Values.extraEnv }}{{ if hasPrefix "TALLYMILL_" (upper $name) }}{{ $wrong = append $wrong (printf "extraEnv.%s: use `settings`, or the Secret" $name) }}{{ end }}{{ end -}}
{{- with $wrong }}{{ fail (printf "\n  %s\n(docs/kubernetes.md)" (join "\n  " .)) }}{{ end -}}
{{- end }}
