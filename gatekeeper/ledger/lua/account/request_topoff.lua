-- Retry a failed top-off by hand. Bound to the incident it answers, so that asking twice is asking
-- once: a failure of the retry is an incident of its own.
-- ARGV[5] incident   ARGV[6] who asked, or ''
-- Replies {'unknown_account'} or
--   {'requested' | 'in_flight' | 'no_such_incident' | 'capped', top-off or ''}
--   'capped': the spending cap lets none begin, neither by hand

local account = read_account()
if not account then return { 'unknown_account' } end
if account.cycle_over then return cycle_over() end
if account.topoff ~= '' then return { 'in_flight', account.topoff } end
if redis.call('HGET', ACCOUNT, 'incident') ~= ARGV[5] then return { 'no_such_incident', '' } end
if account.capped then return { 'capped', '' } end
request_topoff(account, 'retry', ARGV[6])
return { 'requested', account.topoff }
