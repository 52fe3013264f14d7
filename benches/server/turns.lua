-- Requests of several visitors in turn. Arguments: method, path, and a file with a Cookie header on each line (or none).
local requests = {}
local turn = 0

function init(arguments)
  local method, path, file = arguments[1], arguments[2], arguments[3]
  if not file then
    requests[1] = wrk.format(method, path)
    return
  end
  for line in io.lines(file) do
    requests[#requests + 1] = wrk.format(method, path, { ["Host"] = wrk.headers["Host"], ["Cookie"] = line })
  end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

function done(summary)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.timeout + errors.status
  print(string.format('{"requests":%d,"failed":%d,"seconds":%f}',
    summary.requests, failed, summary.duration / 1e6))
end
