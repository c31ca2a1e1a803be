/* SPDX-License-Identifier: Apache-2.0 */
/* Definitions the tests and fuzzers use, written with ' for ". A customs declaration, made up. */
#pragma once
#include <stdlib.h>

#include "convert/convert.h"

#define TESTING_NS "urn:example:customs"

static const char testing_definition[] =
    "{'version':1,'unknown':'refuse','namespaces':{'c':'" TESTING_NS
    "','m':'urn:example:more'},'ns':'c',"
    "'types':{'Party':{'type':'object','elements':[{'name':'name','type':'string','required':true},"
    "{'name':'agent','type':'Party'}]},"
    "'Mode':{'type':'string','enum':['sea','air','rail']}},"
    "'operations':[{'name':'Declare','method':'POST','path':'/Declare','action':'urn:declare',"
    "'client':['json','xml','soap11','soap12'],'upstream':{'form':'json','path':'/declare'},"
    "'request':{'name':'Declaration','type':'object','attributes':[{'name':'id','type':'string','"
    "required':true},"
    "{'name':'rev','ns':'m','member':'revision','type':'integer'}],'elements':["
    "{'name':'no','type':'string','required':true},"
    "{'name':'mode','type':'Mode'},"
    "{'name':'weight','type':'decimal','nillable':true},"
    "{'name':'count','type':'integer','as':'string'},"
    "{'name':'ratio','type':'number'},"
    "{'name':'urgent','type':'boolean'},"
    "{'name':'day','type':'date'},{'name':'at','type':'dateTime'},{'name':'scan','type':'base64'},"
    "{'name':'party','type':'Party','nillable':true},"
    "{'name':'item','member':'items','many':true,'max':4,'type':'object','wrapper':{'name':'goods'}"
    ","
    "'elements':[{'name':'code','type':'string','required':true},{'name':'qty','type':'integer'}]},"
    "{'name':'note','member':'notes','ns':'m','many':true,'type':'string'},"
    "{'name':'fee','type':'decimal','attributes':[{'name':'currency','type':'string','required':"
    "true}]},"
    "{'name':'cash','type':'string','choice':1},{'name':'card','type':'integer','choice':1}"
    "]},"
    "'response':{'name':'Receipt','ns':'','type':'object','order':'any','elements':["
    "{'name':'a','ns':'','type':'string','required':true},{'name':'b','ns':'','many':true,'min':2,'"
    "type':'integer'}]}},"
    "{'name':'Status','method':'GET','path':'/Status','action':'urn:status','query':true,"
    "'upstream':{'form':'soap11','path':'/ws'},"
    "'request':{'name':'GetStatus','type':'object','elements':[{'name':'no','type':'string','"
    "required':true},"
    "{'name':'page','type':'integer'},{'name':'tag','many':true,'type':'string'}]},"
    "'response':{'name':'Status','type':'object','elements':[{'name':'state','type':'string'}]}},"
    "{'name':'Ping','method':'POST','path':'/Ping','client':['json'],'upstream':{'form':'soap12'}}"
    "]}";

static inline json_t *testing_json(const char *text)
{
    char *copy = strdup(text);
    for (char *p = copy; p != NULL && *p != '\0'; p++) {
        *p = *p == '\'' ? '"' : *p;
    }
    json_t *made = copy != NULL ? json_loads(copy, 0, NULL) : NULL;
    free(copy);
    return made;
}
