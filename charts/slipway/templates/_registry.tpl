{{- /* Where built images are: what the controller and the builder are told. */ -}}
{{- define "slipway.registryEnv" -}}
{{- if and .Values.builder.enabled (not .Values.registry.host) }}
{{- fail "registry.host is needed: where built images are kept" }}
{{- end }}
{{- if .Values.registry.host }}
- { name: SLIPWAY_REGISTRY, value: {{ .Values.registry.host | quote }} }
{{- with .Values.registry.pushHost }}
- { name: SLIPWAY_REGISTRY_PUSH, value: {{ . | quote }} }
{{- end }}
- { name: SLIPWAY_REGISTRY_PREFIX, value: {{ .Values.registry.prefix | quote }} }
- { name: SLIPWAY_REGISTRY_INSECURE, value: {{ ternary "1" "0" .Values.registry.insecure | quote }} }
{{- with include "slipway.registrySecret" . }}
- name: SLIPWAY_REGISTRY_USERNAME
  valueFrom: { secretKeyRef: { name: {{ . }}, key: username } }
- name: SLIPWAY_REGISTRY_PASSWORD
  valueFrom: { secretKeyRef: { name: {{ . }}, key: password } }
{{- end }}
{{- end }}
{{- end }}
