{{- define "slipway.fullname" -}}
{{- if contains "slipway" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}{{ printf "%s-slipway" .Release.Name | trunc 40 | trimSuffix "-" }}{{ end -}}
{{- end }}

{{- /* Name of one part's objects: a list of the root context and the part. */ -}}
{{- define "slipway.name" -}}
{{ include "slipway.fullname" (index . 0) }}-{{ index . 1 }}
{{- end }}

{{- define "slipway.selector" -}}
app.kubernetes.io/name: slipway
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "slipway.labels" -}}
{{ include "slipway.selector" . }}
app.kubernetes.io/part-of: slipway
app.kubernetes.io/version: {{ (index . 0).Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ (index . 0).Release.Service }}
helm.sh/chart: {{ printf "%s-%s" (index . 0).Chart.Name (index . 0).Chart.Version }}
{{- end }}

{{- define "slipway.image" -}}
{{- $root := index . 0 -}}
{{ $root.Values.image.registry }}/{{ index . 1 }}:{{ $root.Values.image.tag | default $root.Chart.AppVersion }}
{{- end }}

{{- define "slipway.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "slipway.keysSecret" -}}
{{ .Values.keys.existingSecret | default (include "slipway.name" (list . "keys")) }}
{{- end }}

{{- define "slipway.buildNamespace" -}}
{{ .Values.builder.namespace | default (printf "%s-builds" (include "slipway.fullname" .)) }}
{{- end }}

{{- define "slipway.registrySecret" -}}
{{- if .Values.registry.existingSecret }}{{ .Values.registry.existingSecret }}
{{- else if .Values.registry.username }}{{ include "slipway.name" (list . "registry") }}{{ end -}}
{{- end }}

{{- define "slipway.databaseSecret" -}}
{{ .Values.database.existingSecret | default (include "slipway.name" (list . "database")) }}
{{- end }}

{{- /* What a pod's container may do: nothing but compute. */ -}}
{{- define "slipway.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "slipway.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "slipway.placement" -}}
{{- with .nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "slipway.storageClass" -}}
{{- if eq . "-" }}
storageClassName: ""
{{- else if . }}
storageClassName: {{ . }}
{{- end }}
{{- end }}

{{- define "slipway.pdbVersion" -}}
{{- if semverCompare "<1.21-0" .Capabilities.KubeVersion.Version }}policy/v1beta1{{ else }}policy/v1{{ end -}}
{{- end }}
