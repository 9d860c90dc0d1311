//! Northwind, eleven tables: learns them as one model, samples as many customers with all that is theirs, and compares.
//! Run: SEMBLANT_DATA=data cargo run --release --example northwind_database -p semblant-examples
//! Reads northwind/*.csv in the folder SEMBLANT_DATA.

#![allow(clippy::print_stdout, reason = "an example says what it found")]

use std::path::PathBuf;

use anyhow::Context;
use semblant::metrics::Options;
use semblant::metrics::database::{cardinalities, hops};
use semblant::metrics::report::report_database;
use semblant::prelude::*;
use semblant::progress::Terminal;

/// Orders come by customers, their lines by orders. Products, shippers, regions and categories tell of no one.
const KEYS: &str = r#"
    Categories = { key = "CategoryID", reference = true }
    Customers = { key = "CustomerID" }
    Employees = { key = "EmployeeID", foreign = [{ columns = "ReportsTo", table = "Employees" }] }
    Regions = { key = "RegionID", reference = true }
    Shippers = { key = "ShipperID", reference = true }
    Suppliers = { key = "SupplierID", reference = true }
    [EmployeeTerritories]
    key = ["EmployeeID", "TerritoryID"]
    foreign = [{ columns = "EmployeeID", table = "Employees" }, { columns = "TerritoryID", table = "Territories", parent = false }]
    [OrderDetails]
    key = ["OrderID", "ProductID"]
    foreign = [{ columns = "OrderID", table = "Orders" }, { columns = "ProductID", table = "Products", parent = false }]
    [Orders]
    key = "OrderID"
    checks = ["ShippedDate >= OrderDate", "RequiredDate >= OrderDate"]
    foreign = [
        { columns = "CustomerID", table = "Customers" },
        { columns = "EmployeeID", table = "Employees", parent = false },
        { columns = "ShipVia", table = "Shippers", parent = false },
    ]
    [Products]
    key = "ProductID"
    reference = true
    foreign = [{ columns = "SupplierID", table = "Suppliers" }, { columns = "CategoryID", table = "Categories", parent = false }]
    [Territories]
    key = "TerritoryID"
    reference = true
    foreign = [{ columns = "RegionID", table = "Regions" }]
"#;

fn main() -> anyhow::Result<()> {
    let data = std::env::var_os("SEMBLANT_DATA").map(PathBuf::from).context("set SEMBLANT_DATA to the folder of the data sets")?;
    let options = DatabaseOptions { keys: Some(Keys::parse_toml(KEYS)?), ..DatabaseOptions::default() };
    let real = Database::open(&data.join("northwind"), &options)?.data;
    let device = semblant::device::select("cpu")?;
    let mut model = semblant::model::<Database>("relational", serde_json::json!({}))?;
    model.fit(&real, &mut Run { observer: Box::new(Terminal::default()), ..Run::new(device, 0) })?;
    let made = model.sample(&DatabaseRequest::new(real.len() as u64, 1))?.data;

    println!("rows left out for their keys: {}", made.left_out().iter().map(|left| left.rows).sum::<usize>());
    for found in cardinalities(&real, &made)? {
        println!("{:35} refers to {:12} numbers of children {:.3} of 1", found.key, found.table, found.score);
    }
    for path in hops(&real, &made, 0)?.paths.iter().filter(|path| path.hops > 0) {
        println!("{:35} {:3} pairs {:.3}", path.path, path.pairs, path.score);
    }
    let folder = std::env::temp_dir();
    let report = report_database(&real, &made, None, &Options::default(), &mut |_| ())?;
    std::fs::write(folder.join("northwind.html"), report.to_html())?;
    println!("{}", folder.join("northwind.html").display());
    Ok(())
}
