//! Without root's rights the server has all that it needs, and is greener.

use crate::abuse::{Opened, check, small};
use crate::http::Request;
use crate::served::Served;
use crate::user::Ordinary;
use serde_json::json;

#[test]
fn an_ordinary_user_serves() {
    let user = Ordinary::furnished("user-server");
    let served = Served::run(&mut user.program(&["serve", "--port", "0"]));
    let token = Opened::unlock(&served);
    let ask = |request: Request| check(&served, &request.token(&token));
    let id =
        ask(Request::post("/api/v1/jobs", &small())).is(202).json()["id"].as_str().expect("an id").to_owned();
    let job = Request::get(&format!("/api/v1/jobs/{id}"));
    while ask(job.clone()).is(200).json()["status"] != "done" {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let posture = ask(Request::get("/api/v1/posture")).is(200).json();
    assert!(posture["uid"] != 0, "{posture}");
    for fence in posture["fences"].as_array().expect("a list") {
        assert!(fence["state"] == "green" || fence["fence"] == "landlock", "{fence}");
    }
    let wish = json!({"all": true, "confirm": 1});
    ask(Request::post("/api/v1/images:delete", &wish)).is(200);
    served.stop().ends(0, &[]);
    user.ask(&["audit", "verify"]).ends(0, &[]);
}
