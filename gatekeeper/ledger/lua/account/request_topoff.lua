-- Retry a failed top-off by hand. Bound to the incident it answers, so that asking twice is asking
-- once: a failure of the retry is an incident of its own.
-- ARGV[5] incident   ARGV[6] who asked, or ''
-- If given, what was agreed to and is charged or nothing: ARGV[7] credits   ARGV[8] price of one,
-- minor units   ARGV[9] what one costs now where the account has no price of its own
-- Replies {'unknown_account'} or
--   {'requested' | 'in_flight' | 'no_such_incident' | 'capped' | 'changed', top-off or ''}
--   'capped': the spending cap lets none begin, neither by hand
--   'changed': what would be charged is not what was agreed to

local account = read_account()
if not account then return { 'unknown_account' } end
if account.cycle_over then return cycle_over() end
if account.topoff ~= '' then return { 'in_flight', account.topoff } end
if redis.call('HGET', ACCOUNT, 'incident') ~= ARGV[5] then return { 'no_such_incident', '' } end
if account.capped then return { 'capped', '' } end
if ARGV[7] then
  local price = redis.call('HGET', ACCOUNT, 'price_minor') or ARGV[9]
  if tonumber(ARGV[7]) ~= account.topoff_amount or ARGV[8] ~= price then
    return { 'changed', '' }
  end
end
request_topoff(account, 'retry', ARGV[6])
return { 'requested', account.topoff }
