-- wrk: the same figures for a static answer. Like tokens.lua it looks at every answer, so that both cost wrk the same.
local threads = {}
function setup(thread) table.insert(threads, thread) end
function init(args) bad = 0 end
function request() return wrk.format("GET", "/") end
function response(status, headers, body)
  if status ~= 200 then bad = bad + 1 end
end
function done(summary, latency, requests)
  local bad = 0
  for _, t in ipairs(threads) do bad = bad + t:get("bad") end
  local e = summary.errors
  io.write(string.format("RESULT rate %.1f median_us %d p99_us %d bad %d errors %d\n",
    summary.requests / summary.duration * 1e6, latency:percentile(50), latency:percentile(99), bad,
    e.connect + e.read + e.write + e.timeout))
end
