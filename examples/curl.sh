#!/bin/sh
# With curl against a running `npm start`: a stream, then the score of a text. Usage: sh examples/curl.sh [URL]
set -e
url=${1:-http://127.0.0.1:8080}
post() { curl --no-buffer --fail-with-body "$url$1" -H 'content-type: application/json' -d "$2"; }

post /v1/chat/completions '{"model":"default","messages":[{"role":"user","content":"Say hello."}],"max_tokens":32,"stream":true}'
# Log-probability of each token of a text, given those before it
post /v1/completions '{"model":"default","prompt":"The sky is blue.","echo":true,"logprobs":1,"max_tokens":0}'
