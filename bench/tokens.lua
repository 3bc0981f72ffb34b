-- wrk: GET /V/<token> with tokens at random from a file of lines; counts what was not answered with 200 and a verdict.
local threads = {}
function setup(thread)
  table.insert(threads, thread)
  thread:set("seed", #threads)
end

function init(args)
  local f = assert(io.open(args[1]))
  tokens = f:read("*a")
  f:close()
  count = math.floor(#tokens / 17)
  math.randomseed(seed * 7919 + os.time())
  bad = 0
end

function request()
  local i = math.random(0, count - 1) * 17
  return wrk.format("GET", "/V/" .. tokens:sub(i + 1, i + 16))
end

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
