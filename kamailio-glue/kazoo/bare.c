/*
 * Result variables without quotes: kazoo_json($var(document), "a.b", $var(result)).
 *
 * For such a parameter the core evaluates the variable at each call and hands over its value, from
 * which no function can tell which variable it was. So before the core fixes the routes, the
 * parameter is replaced there by a text that leads to the variable.
 */
#include "kazoo.h"

#include "version.h"

#include "core/dprint.h"
#include "core/mem/mem.h"
#include "core/route.h"
#include "core/rvalue.h"
#include "core/switch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* No script can write this. */
#define MARK '\001'

typedef struct bare
{
	pv_spec_t variable;
	struct bare *next;
} bare;

static bare *variables;
static int count;
static int failed;

pv_spec_t *kz_bare(const char *param)
{
	bare *found = variables;
	int number;

	if(param[0] != MARK)
		return NULL;
	for(number = atoi(param + 1); found != NULL && number > 0; number--)
		found = found->next;
	return found != NULL ? &found->variable : NULL;
}

/* Which parameter of a function is a variable to be written to; 0 for none. */
static int written(const ksr_cmd_export_t *command, int params)
{
	if(strcmp(command->name, "kazoo_query") == 0)
		return params >= 4 ? 4 : 0;
	if(strcmp(command->name, "kazoo_json") == 0
			|| strcmp(command->name, "kazoo_json_keys") == 0)
		return 3;
	return strcmp(command->name, "kazoo_encode") == 0 ? 2 : 0;
}

static void replace(action_u_t *param)
{
	const struct rval_expr *expression = param->u.data;
	bare **end = &variables;
	bare *added;
	char *text;

	if(param->type != RVE_ST || expression->op != RVE_RVAL_OP
			|| expression->left.rval.type != RV_PVAR)
		return;
	added = pkg_malloc(sizeof(*added));
	text = pkg_malloc(16);
	if(added == NULL || text == NULL) {
		PKG_MEM_ERROR;
		failed = 1;
		return;
	}
	added->variable = expression->left.rval.v.pvs;
	added->next = NULL;
	while(*end != NULL)
		end = &(*end)->next;
	*end = added;
	snprintf(text, 16, "%c%d", MARK, count++);
	param->type = STRING_ST;
	param->u.string = text;
	param->u.str.len = (int)strlen(text);
}

static void actions(struct action *first);

static void expression(const struct rval_expr *root);

static void condition(const struct expr *root)
{
	if(root == NULL)
		return;
	if(root->type == EXP_T) {
		condition(root->l.expr);
		if(root->op != NOT_OP)
			condition(root->r.expr);
		return;
	}
	if(root->l_type == ACTION_O)
		actions(root->r.param);
	else if(root->l_type == RVEXP_O)
		expression(root->l.param);
	if(root->r_type == RVE_ST)
		expression(root->r.param);
}

static void value(const struct rvalue *leaf)
{
	if(leaf->type == RV_ACTION_ST)
		actions(leaf->v.action);
	else if(leaf->type == RV_BEXPR)
		condition(leaf->v.bexpr);
}

static void expression(const struct rval_expr *root)
{
	if(root == NULL)
		return;
	switch(root->op) {
		case RVE_NONE_OP:
			break;
		case RVE_RVAL_OP:
			value(&root->left.rval);
			break;
		case RVE_UMINUS_OP:
		case RVE_BOOL_OP:
		case RVE_LNOT_OP:
		case RVE_BNOT_OP:
		case RVE_STRLEN_OP:
		case RVE_STREMPTY_OP:
		case RVE_DEFINED_OP:
		case RVE_NOTDEFINED_OP:
		case RVE_LONG_OP:
		case RVE_STR_OP:
			expression(root->left.rve);
			break;
		default:
			expression(root->left.rve);
			expression(root->right.rve);
	}
}

static void call(struct action *function)
{
	const ksr_cmd_export_t *command = function->val[0].u.data;
	int params = (int)function->val[1].u.number;
	int target = command != NULL ? written(command, params) : 0;

	if(target > 0 && target <= params)
		replace(&function->val[target + 1]);
}

static void cases(const struct case_stms *first)
{
	for(; first != NULL; first = first->next) {
		expression(first->ct_rve);
		actions(first->actions);
	}
}

static void actions(struct action *first)
{
	struct action *at;
	int i;

	for(at = first; at != NULL; at = at->next) {
		if(is_mod_func(at))
			call(at);
		for(i = 0; i < MAX_ACTIONS; i++) {
			switch(at->val[i].type) {
				case RVE_ST:
					expression(at->val[i].u.data);
					break;
				case ACTIONS_ST:
					actions(at->val[i].u.data);
					break;
				case CASE_ST:
					cases(at->val[i].u.data);
					break;
				default:
					break;
			}
		}
	}
}

int kz_bare_init(void)
{
	struct route_list *const tables[] = {&main_rt, &onreply_rt, &failure_rt,
			&branch_rt, &onsend_rt, &event_rt};
	size_t table;
	int route;

	for(table = 0; table < sizeof(tables) / sizeof(tables[0]); table++) {
		for(route = 0; route < tables[table]->entries; route++)
			actions(tables[table]->rlist[route]);
	}
	return failed ? -1 : 0;
}
