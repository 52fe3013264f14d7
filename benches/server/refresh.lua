-- A user in each thread, which has one connection: signs in, and then refreshes and uses what came, again and again.
local threads = {}

function setup(thread)
  thread:set("id", #threads + 1)
  threads[#threads + 1] = thread
end

function init()
  refreshes, failed, first, step, access, refresh = 0, 0, "", "sign in", "", ""
end

local function fail(status, body)
  failed = failed + 1
  if first == "" then first = step .. ": " .. status .. " " .. body:gsub('[\\"%c]', " "):sub(1, 200) end
end

function request()
  local headers = { ["Host"] = wrk.headers["Host"], ["st-auth-mode"] = "header" }
  if step == "sign in" then return wrk.format("POST", "/login?user=turner" .. id, headers) end
  headers["Authorization"] = "Bearer " .. (step == "refresh" and refresh or access)
  if step == "refresh" then return wrk.format("POST", "/auth/session/refresh", headers) end
  return wrk.format("GET", "/user", headers)
end

function response(status, headers, body)
  local gave = headers["st-access-token"]
  if status ~= 200 then fail(status, body) end
  if gave and gave ~= "" then access = gave end
  if step == "use" then
    if body ~= "turner" .. id then fail(status, body) end
    step = "refresh"
    return
  end
  local following = headers["st-refresh-token"]
  -- Another one each time, or it was no refresh.
  if not following or following == "" or following == refresh then fail(status, body) end
  if step == "refresh" then refreshes = refreshes + 1 end
  refresh = following or ""
  step = "use"
end

function done(summary)
  local total, wrong, example = 0, 0, ""
  for _, thread in ipairs(threads) do
    total = total + thread:get("refreshes")
    wrong = wrong + thread:get("failed")
    if example == "" then example = thread:get("first") end
  end
  local errors = summary.errors
  wrong = wrong + errors.connect + errors.read + errors.write + errors.timeout
  print(string.format('{"requests":%d,"failed":%d,"seconds":%f,"example":"%s"}',
    total, wrong, summary.duration / 1e6, example))
end
