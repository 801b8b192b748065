#!/bin/sh
# With curl against a running `npm start`: a stream, then the score of a text. Usage: sh examples/curl.sh [URL] [KEY FILE]
set -e
url=${1:-http://127.0.0.1:8080}
key=$(cat "${2:-${INWARD_SITE:-${XDG_STATE_HOME:-$HOME/.local/state}/inward}/evaluation.key}")
post() { curl --no-buffer --fail-with-body "$url$1" -H "authorization: Bearer $key" -H 'content-type: application/json' -d "$2"; }

post /v1/chat/completions '{"model":"default","messages":[{"role":"user","content":"Say hello."}],"max_tokens":32,"stream":true}'
# Log-probability of each token of a text, given those before it
post /v1/completions '{"model":"default","prompt":"The sky is blue.","echo":true,"logprobs":1,"max_tokens":0}'
