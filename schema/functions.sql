-- SQL functions that the app may call; {app_role} and {loader_role} stand for the roles.
select 1;
