{{- define "cws-agent.labels" -}}
app.kubernetes.io/name: cws-agent
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "cws-agent.selector" -}}
app.kubernetes.io/name: cws-agent
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "cws-agent.name" -}}
{{- printf "%s-cws-agent" .Release.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Variables that both containers have: the settings that Datadog's chart gives by variable too. */}}
{{- define "cws-agent.env" -}}
- name: DD_LOG_LEVEL
  value: {{ .Values.datadog.logLevel | lower | quote }}
- name: DD_RUNTIME_SECURITY_CONFIG_SOCKET
  value: /var/run/sysprobe/runtime-security.sock
- name: DD_SECURITY_AGENT_USER
  value: {{ .Values.agentUser | quote }}
- name: DD_HOSTNAME
  valueFrom:
    fieldRef:
      fieldPath: spec.nodeName
- name: HOST_ROOT
  value: /host/root
{{- with .Values.datadog.env }}
{{ toYaml . }}
{{- end }}
{{- end }}
